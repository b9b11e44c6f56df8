using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Evaluation;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Tests.Generation;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Tests.Evaluation;

public sealed class EvaluateCommandSpec : IDisposable
{
    private const string Choice = """{"question": "煙は？", "choice0": "火", "choice1": "水の中", "choice2": "山", "label": 1}""";
    private const string Answer = """{"question": "首都は？", "context": "東京は日本の首都。", "answers": {"text": ["東京"], "answer_start": [0]}}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("evaluate-").FullName;

    private string Model => Path.Combine(_folder, "model");

    public EvaluateCommandSpec() => TinyModel.Write(Model);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_most_probable_choice_is_that_whose_tokens_are_most_probable_after_the_prompt()
    {
        var folder = ModelFolder.Open(Model);
        var prompt = TaskPrompt.ChoiceForm.Replace("{question}", "煙は？").Replace("{choices}", "火、水の中、山");
        using var decoder = HostDecoder.Open(Model, 1, 200, threads: 1);
        double[] scores = [.. new[] { "火", "水の中", "山" }.Select(choice => Score(folder, decoder, prompt, choice))];
        var best = Array.IndexOf(scores, scores.Max());

        var (code, output, errors) = await Run("--task", Write("choice.jsonl", Choice.Replace("\"label\": 1", $"\"label\": {best}")), "--json");

        Assert.Equal((0, ""), (code, errors));
        Assert.Equal(1.0, JsonDocument.Parse(output).RootElement.GetProperty("acc").GetDouble());
    }

    [Fact]
    public async Task Answers_are_generated_and_worked_examples_are_not_asked()
    {
        var (code, output, errors) = await Run("--task", Write("answers.jsonl", Answer, Answer, Answer), "--shots", "1", "--json");
        Assert.Equal((0, ""), (code, errors));
        var score = JsonDocument.Parse(output).RootElement;
        Assert.Equal(2, score.GetProperty("questions").GetInt32());
        Assert.Equal(JsonValueKind.Null, score.GetProperty("acc").ValueKind);
        Assert.InRange(score.GetProperty("f1").GetDouble(), 0, 1);
    }

    [Fact]
    public void A_worked_example_stands_before_the_question_in_the_same_form()
    {
        var example = new TaskRecord("一足す一は{context}？", "", [], -1, ["二"]);
        var prompt = new TaskPrompt("問：{question} 答：", "\n", [example]);
        Assert.Equal("問：一足す一は{context}？ 答：二\n問：二足す二は？ 答：", prompt.Format(new TaskRecord("二足す二は？", "x", [], -1, ["四"])));
    }

    [Fact]
    public async Task Records_of_instructions_are_asked_in_the_models_template()
    {
        foreach (var (name, bytes) in InstructionFiles.Make(new InstructionTemplate("{instruction}は{input}の", "{instruction}の")))
            File.WriteAllBytes(Path.Combine(Model, name), bytes);
        var folder = ModelFolder.Open(Model);
        using var decoder = HostDecoder.Open(Model, 1, 200, threads: 1);
        var ids = TokenGenerator.Generate(decoder, folder.Encode("日本は犬の"), new() { MaxNewTokens = 3, EndTokens = folder.EndTokens }, TestContext.Current.CancellationToken);
        var right = folder.Tokenizer.Decode([.. ids]).Trim();
        string Record(string answer) => JsonSerializer.Serialize(new { instruction = "日本", input = "犬", output = answer });

        var (code, output, errors) = await Run("--task", Write("instructions.jsonl", Record(right), Record("x" + right)), "--max-answer-tokens", "3", "--json");

        Assert.Equal((0, ""), (code, errors));
        Assert.Equal(0.5, JsonDocument.Parse(output).RootElement.GetProperty("exact_match").GetDouble());
    }

    [Fact]
    public async Task Held_out_instructions_are_scored_and_answered()
    {
        var records = Write("records.jsonl", [.. Enumerable.Range(0, 40).Select(number => JsonSerializer.Serialize(new { instruction = $"{number}は？", output = "はい" }))]);
        string[] configured = ["--set", "data.format=instructions", "--set", $"data.sources=[\"{records}\"]", "--set", "instructions.validation-fraction=0.5", "--set", "data.block-size=64", "--device", "cpu"];
        var (code, output, errors) = await Run([.. configured, "--answers", "3", "--json"]);
        Assert.Equal((0, ""), (code, errors));
        var results = output.Split('\n').SkipLast(1).Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.InRange(results[0].GetProperty("eval_tokens").GetInt64(), 2 * 10, 8 * 30); // answers and their ends, of about twenty records
        Assert.Equal(3, results[1].GetProperty("questions").GetInt32());

        (code, _, errors) = await Run("--answers", "3", "--device", "cpu");
        Assert.Equal((2, "streaming: --answers is about instructions, and the sources hold text; set data.format to instructions, or ask with --task.\n"), (code, errors));
    }

    [Theory]
    [InlineData("{\"instruction\": \"a\"}", "line 1: it has an 'instruction' and no text 'output'")]
    [InlineData("{\"question\": \"a\"}", "line 1: it has neither choices")]
    [InlineData("{\"question\": \"a\", \"choice0\": \"b\", \"label\": 1}", "line 1: its 'label' must be a whole number from 0 to 0")]
    [InlineData("{\"question\": \"a\", \"choice0\": \"b\", \"label\": \"0\"}", "line 1: its 'label' must be a whole number from 0 to 0")]
    [InlineData("{\"question\": \"a\", \"choices\": [1], \"label\": 0}", "line 1: its 'choices' must be texts")]
    [InlineData("[]", "line 1: it has no text 'question'")]
    [InlineData("{", "line 1: it is not JSON")]
    [InlineData("", "holds no question")]
    public async Task A_bad_record_is_named_with_its_line(string line, string part)
    {
        var (code, _, errors) = await Run("--task", Write("bad.jsonl", line));
        Assert.Equal(2, code);
        Assert.Contains(part, errors);
        Assert.Equal(1, errors.Count(character => character == '\n'));
    }

    private static double Score(ModelFolder folder, HostDecoder decoder, string prompt, string choice)
    {
        var whole = folder.Encode(prompt + choice);
        var from = folder.Encode(prompt).Length;
        decoder.Truncate(0, 0);
        var vocabulary = folder.Config.VocabularySize;
        var logits = new float[whole.Length * vocabulary];
        decoder.Forward([new(0, whole.Length)], whole, LogitRows.All, logits);
        double sum = 0;
        for (var i = Math.Clamp(from, 1, whole.Length - 1); i < whole.Length; i++)
        {
            var row = logits.AsSpan((i - 1) * vocabulary, vocabulary);
            Probabilities.LogSoftmax(row);
            sum += row[whole[i]];
        }
        return sum;
    }

    private string Write(string name, params string[] lines)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllLines(path, lines);
        return path;
    }

    private async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var code = await CommandLine.RunAsync(Root.Create(), ["evaluate", "--model", Model, .. arguments], output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
