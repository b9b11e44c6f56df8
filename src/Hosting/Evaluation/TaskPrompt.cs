using System.Text;
using Streaming.Hosting.Generation;
using Streaming.Streams.Text;

namespace Streaming.Hosting.Evaluation;

/// <summary>
/// How questions are put: worked examples, then the question, each in one form with <c>{context}</c>, <c>{question}</c>,
/// <c>{choices}</c> and, at its end, the place of the answer. Records of instructions are put in the model's own template.
/// </summary>
/// <param name="Form">The form of a question, up to its answer.</param>
/// <param name="Separator">Between a worked example and what follows.</param>
/// <param name="Examples">Worked examples.</param>
internal sealed record TaskPrompt(string Form, string Separator, IReadOnlyList<TaskRecord> Examples)
{
    public const string ChoiceForm = "質問：{question}\n選択肢：{choices}\n回答：";
    public const string AnswerForm = "文章：{context}\n質問：{question}\n回答：";

    /// <summary>The prompt of a question.</summary>
    public string Format(TaskRecord record) => string.Concat(Examples.Select(example => Fill(example) + example.Answer + Separator)) + Fill(record);

    /// <summary>The ids of a question whose answer is generated.</summary>
    public int[] Encode(TaskRecord record, ModelFolder model)
    {
        if (!record.IsInstruction)
            return model.Encode(Format(record));
        var encoder = model.CreatePromptEncoder();
        var ids = new TokenBuffer();
        foreach (var example in Examples)
        {
            encoder.Encode(example.Question, example.Context, ids);
            encoder.EncodeAnswer(example.Answer, ids);
            if (model.Tokenizer.EosId is { } end)
                ids.Add(end);
        }
        encoder.Encode(record.Question, record.Context, ids);
        return ids.Span.ToArray();
    }

    private string Fill(TaskRecord record)
    {
        // From left to right, so that a question which spells {context} stays as it is.
        var text = new StringBuilder();
        for (var at = 0; at < Form.Length;)
        {
            var rest = Form.AsSpan(at);
            var (field, value) = rest switch
            {
                _ when rest.StartsWith("{question}") => ("{question}", record.Question),
                _ when rest.StartsWith("{context}") => ("{context}", record.Context),
                _ when rest.StartsWith("{choices}") => ("{choices}", string.Join("、", record.Choices)),
                _ => (rest[..1].ToString(), rest[..1].ToString()),
            };
            text.Append(value);
            at += field.Length;
        }
        return text.ToString();
    }
}
