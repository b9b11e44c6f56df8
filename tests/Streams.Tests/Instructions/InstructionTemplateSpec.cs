using Streaming.Streams.Instructions;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Instructions;

public sealed class InstructionTemplateSpec : IDisposable
{
    private static readonly InstructionTemplate Short = new("<s>{instruction}。{input}。", "<s>{instruction}。");

    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void The_forms_are_the_recipes_with_and_without_an_input()
    {
        var recipe = InstructionTemplate.Recipe;
        Assert.Equal(
            "<s>\n以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。要求を適切に満たす応答を書きなさい。\n[SEP]\n指示:\n要約せよ\n[SEP]\n入力:\n長い話\n[SEP]\n応答:\n",
            recipe.Format("要約せよ", "長い話"));
        Assert.Equal("<s>\n以下は、タスクを説明する指示です。要求を適切に満たす応答を書きなさい。\n[SEP]\n指示:\n要約せよ\n[SEP]\n応答:\n", recipe.Format("要約せよ", " \n"));
    }

    [Fact]
    public void What_an_instruction_spells_stays_as_it_is()
    {
        Assert.Equal("<s>{input}{instruction}。x。", Short.Format("{input}{instruction}", "x"));
        // A special token of the form is a token, one of the instruction is text.
        var ids = new PromptEncoder(TestTokenizer.Instance, Short).Encode("<s>", "");
        Assert.Equal(TestTokenizer.Instance.BosId, ids[0]);
        Assert.DoesNotContain(TestTokenizer.Instance.BosId!.Value, ids.Skip(1));
        Assert.Equal("<s>。", TestTokenizer.Instance.Decode(ids));
    }

    [Fact]
    public void Fields_and_form_are_encoded_as_one_text()
    {
        // "ab" and "c" of different parts become the piece "abc".
        var encoder = new PromptEncoder(TestTokenizer.Instance, new InstructionTemplate("{instruction}c{input}", "{instruction}c"));
        Assert.Equal([TestTokenizer.Instance.PieceToId("abc")], encoder.Encode("ab", ""));
        var ids = new TokenBuffer();
        TestTokenizer.Instance.CreateEncoder().Encode("abc猫と", ids);
        Assert.Equal(ids.Span.ToArray(), encoder.Encode("ab", "猫と"));
    }

    [Theory]
    [InlineData("{instruction}", "{instruction}", "with an input must hold {instruction} and {input}")]
    [InlineData("{instruction}{input}", "x", "without an input must hold {instruction} and not {input}")]
    [InlineData("{instruction}{input}", "{instruction}{input}", "without an input must hold {instruction} and not {input}")]
    public void A_form_that_lacks_a_field_is_refused(string withInput, string withoutInput, string part) =>
        Assert.Contains(part, new InstructionTemplate(withInput, withoutInput).FindMistake());

    [Fact]
    public void A_folder_carries_its_template()
    {
        Assert.Null(InstructionTemplate.Find(_files.Folder));
        var template = new InstructionTemplate("\"{instruction}\"\n{input}", "\\n{instruction}");
        foreach (var (name, bytes) in InstructionFiles.Make(template))
            _files.Write(name, bytes);
        Assert.Equal(template, InstructionTemplate.Find(_files.Folder));
        Assert.Contains("'\"' + asked + '\"\\n' + system.text", File.ReadAllText(Path.Combine(_files.Folder, "chat_template.jinja")));
        Assert.Contains("'\\\\n' + asked", File.ReadAllText(Path.Combine(_files.Folder, "chat_template.jinja")));

        _files.Write(InstructionTemplate.FileName, "{\"prompt_with_input\": 1}");
        Assert.Contains("must be an object with the texts", Assert.Throws<InvalidDataException>(() => InstructionTemplate.Find(_files.Folder)).Message);
        _files.Write(InstructionTemplate.FileName, "{");
        Assert.Contains("is not valid JSON", Assert.Throws<InvalidDataException>(() => InstructionTemplate.Find(_files.Folder)).Message);
    }
}
