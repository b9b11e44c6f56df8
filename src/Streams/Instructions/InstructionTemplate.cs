using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Streaming.Streams.Records;

namespace Streaming.Streams.Instructions;

/// <summary>
/// The two forms of a prompt in which a model is asked to do something. Training, generation, serving and evaluation all build
/// their prompts here (<see cref="PromptEncoder"/>), so that a model is asked as it was tuned.
/// </summary>
/// <param name="WithInput">Holds <c>{instruction}</c> and <c>{input}</c>.</param>
/// <param name="WithoutInput">Holds <c>{instruction}</c>; for a record that has no input.</param>
/// <remarks>
/// A begin, end or padding piece of the tokenizer that a form spells out (<c>&lt;s&gt;</c>) stands for its token; in an
/// instruction or an input the same characters are text.
/// </remarks>
public sealed record InstructionTemplate(string WithInput, string WithoutInput)
{
    public const string Instruction = "{instruction}", Input = "{input}";

    /// <summary>The file of a model's folder that holds its template.</summary>
    public const string FileName = "instructions.json";

    private const string WithInputField = "prompt_with_input", WithoutInputField = "prompt_without_input";

    private static readonly JsonSerializerOptions _format = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Those of japanese-mistral-300m-recipe, whose line-based files spell a line's end as <c>\n</c>.</summary>
    public static InstructionTemplate Recipe { get; } = new(
        "<s>\n以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。要求を適切に満たす応答を書きなさい。\n[SEP]\n指示:\n{instruction}\n[SEP]\n入力:\n{input}\n[SEP]\n応答:\n",
        "<s>\n以下は、タスクを説明する指示です。要求を適切に満たす応答を書きなさい。\n[SEP]\n指示:\n{instruction}\n[SEP]\n応答:\n");

    /// <summary>The form for an input: one of nothing but white space is none.</summary>
    public string FormFor(ReadOnlySpan<char> input) => input.IsWhiteSpace() ? WithoutInput : WithInput;

    /// <summary>The prompt as text, its begin token spelled out.</summary>
    public string Format(string instruction, string input) =>
        string.Concat(Parts(FormFor(input)).Select(part => part switch { Instruction => instruction, Input => input, _ => part }));

    /// <summary>What is wrong with the forms, as the end of a sentence; null where they can be used.</summary>
    public string? FindMistake() => WithInputMistake ?? WithoutInputMistake;

    /// <inheritdoc cref="FindMistake"/>
    public string? WithInputMistake => Holds(WithInput, Instruction) && Holds(WithInput, Input)
        ? null
        : $"the form with an input must hold {Instruction} and {Input}, was \"{WithInput.ReplaceLineEndings("\\n")}\"";

    private string? WithoutInputMistake => Holds(WithoutInput, Instruction) && !Holds(WithoutInput, Input)
        ? null
        : $"the form without an input must hold {Instruction} and not {Input}, was \"{WithoutInput.ReplaceLineEndings("\\n")}\"";

    private static bool Holds(string form, string field) => form.Contains(field, StringComparison.Ordinal);

    /// <summary>The content of <see cref="FileName"/>.</summary>
    public string ToJson() => new JsonObject { [WithInputField] = WithInput, [WithoutInputField] = WithoutInput }.ToJsonString(_format) + "\n";

    /// <summary>The template of a model's folder; null where it has none.</summary>
    /// <exception cref="InvalidDataException">The file is there and holds none.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static InstructionTemplate? Find(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return null;
        try
        {
            var fields = JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject;
            if (fields?[WithInputField] is JsonValue with && with.TryGetValue(out string? withInput)
                && fields[WithoutInputField] is JsonValue without && without.TryGetValue(out string? withoutInput))
            {
                var template = new InstructionTemplate(withInput, withoutInput);
                return template.FindMistake() is { } mistake ? throw new InvalidDataException($"{path}: {mistake}") : template;
            }
        }
        catch (JsonException mistake)
        {
            throw new InvalidDataException($"{path} is not valid JSON: {JsonMistake.InWords(mistake)}", mistake);
        }
        throw new InvalidDataException($"{path} must be an object with the texts {WithInputField} and {WithoutInputField}");
    }

    /// <summary>A form cut at its fields, from left to right, so that an instruction which spells a field stays as it is.</summary>
    internal static IEnumerable<string> Parts(string form)
    {
        for (var at = 0; at < form.Length;)
        {
            var field = new[] { Instruction, Input }.MinBy(name => form.IndexOf(name, at, StringComparison.Ordinal) is >= 0 and var found ? found : int.MaxValue)!;
            var next = form.IndexOf(field, at, StringComparison.Ordinal);
            if (next < 0)
            {
                yield return form[at..];
                yield break;
            }
            if (next > at)
                yield return form[at..next];
            yield return field;
            at = next + field.Length;
        }
    }
}
