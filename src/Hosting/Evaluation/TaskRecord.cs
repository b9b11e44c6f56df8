using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Streams.Instructions;
using Streaming.Streams.Records;

namespace Streaming.Hosting.Evaluation;

/// <summary>
/// One question of a task. Shapes that are read: JCommonsenseQA's (<c>question</c>, <c>choice0</c> …, <c>label</c>), the same
/// with a list <c>choices</c>; JSQuAD's (<c>question</c>, <c>context</c>, <c>answers.text</c>), plain <c>answer</c>; and
/// databricks-dolly-15k-ja's (<c>instruction</c>, <c>input</c>, <c>output</c>).
/// </summary>
/// <param name="Choices">What is chosen among; empty where the answer is generated.</param>
/// <param name="Label">Index of the right choice; -1 without choices.</param>
/// <param name="Answers">Texts that count as right.</param>
internal sealed record TaskRecord(string Question, string Context, IReadOnlyList<string> Choices, int Label, IReadOnlyList<string> Answers)
{
    public bool IsChoice => Choices.Count > 0;

    /// <summary>The question is an instruction and the context its input: it is put in the template in which the model was tuned.</summary>
    public bool IsInstruction { get; init; }

    /// <summary>A record of instructions as a question.</summary>
    public static TaskRecord Of(InstructionRecord record) => new(record.Instruction, record.Input, [], -1, [record.Answer]) { IsInstruction = true };

    /// <summary>What a worked example shows as the answer.</summary>
    public string Answer => IsChoice ? Choices[Label] : Answers[0];

    /// <summary>Reads a JSON Lines file.</summary>
    /// <exception cref="UserErrorException">It cannot be read, or a line is no question; names file and line.</exception>
    public static IReadOnlyList<TaskRecord> ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw new UserErrorException($"--task: {path} is a folder; give a file with a JSON object a line.");
        var records = new List<TaskRecord>();
        try
        {
            var number = 0;
            foreach (var line in File.ReadLines(path))
            {
                number++;
                if (!string.IsNullOrWhiteSpace(line))
                    records.Add(Parse(line, $"{path}, line {number}"));
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--task: {path} cannot be read: {failure.Message.TrimEnd('.')}.");
        }
        return records.Count > 0 ? records : throw new UserErrorException($"--task: {path} holds no question; give a JSON object a line.");
    }

    private static TaskRecord Parse(string line, string place)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            if (root.ValueKind == JsonValueKind.Object && Text(root, "instruction") is { } instruction)
                return Text(root, "output") is { } output
                    ? Of(new InstructionRecord(instruction, Text(root, "input") ?? "", output))
                    : throw Wrong(place, "it has an 'instruction' and no text 'output'");
            if (root.ValueKind != JsonValueKind.Object || Text(root, "question") is not { } question)
                throw Wrong(place, "it has no text 'question'");
            var context = Text(root, "context") ?? "";
            var choices = ChoicesOf(root, place);
            if (choices.Count > 0)
            {
                if (!root.TryGetProperty("label", out var label) || label.ValueKind != JsonValueKind.Number || !label.TryGetInt32(out var right) || right < 0 || right >= choices.Count)
                    throw Wrong(place, $"its 'label' must be a whole number from 0 to {choices.Count - 1}");
                return new TaskRecord(question, context, choices, right, []);
            }
            var answers = AnswersOf(root);
            return answers.Count > 0
                ? new TaskRecord(question, context, [], -1, answers)
                : throw Wrong(place, "it has neither choices (choice0, choice1, …) nor an answer (answers.text, or answer)");
        }
        catch (Exception mistake) when (mistake is JsonException or InvalidOperationException)
        {
            throw Wrong(place, $"it is not JSON: {JsonMistake.InWords(mistake)}");
        }
    }

    private static List<string> ChoicesOf(JsonElement root, string place)
    {
        var choices = new List<string>();
        if (root.TryGetProperty("choices", out var list) && list.ValueKind == JsonValueKind.Array)
            return [.. list.EnumerateArray().Select(choice => choice.ValueKind == JsonValueKind.String ? choice.GetString()! : throw Wrong(place, "its 'choices' must be texts"))];
        while (Text(root, $"choice{choices.Count}") is { } choice)
            choices.Add(choice);
        return choices;
    }

    private static List<string> AnswersOf(JsonElement root)
    {
        if (Text(root, "answer") is { } one)
            return [one];
        if (!root.TryGetProperty("answers", out var answers))
            return [];
        var texts = answers.ValueKind == JsonValueKind.Object && answers.TryGetProperty("text", out var inner) ? inner : answers;
        return texts.ValueKind == JsonValueKind.Array
            ? [.. texts.EnumerateArray().Select(answer => answer.ValueKind == JsonValueKind.Object ? Text(answer, "text") : answer.ValueKind == JsonValueKind.String ? answer.GetString() : null).OfType<string>()]
            : [];
    }

    private static string? Text(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static UserErrorException Wrong(string place, string reason) => new($"--task: {place}: {reason}.");
}
