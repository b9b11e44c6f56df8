using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Instructions;

/// <summary>
/// Encodes prompts of a template: the text between two special tokens in one go, whatever fields it is made of. The answer
/// is encoded by itself behind it, in training as in generation, where it does not exist yet. Not thread-safe.
/// </summary>
public sealed class PromptEncoder
{
    private readonly TextEncoder _encoder;
    private readonly Part[] _withInput, _withoutInput;
    private readonly InstructionTemplate _template;
    private readonly CharacterBuffer _text = new();

    /// <param name="tokenizer">The model's.</param>
    /// <param name="template">The model's.</param>
    public PromptEncoder(TextTokenizer tokenizer, InstructionTemplate template)
    {
        (_template, _encoder) = (template, tokenizer.CreateEncoder());
        (_withInput, _withoutInput) = (Compile(tokenizer, template.WithInput), Compile(tokenizer, template.WithoutInput));
    }

    /// <summary>Appends the ids of a prompt.</summary>
    public void Encode(ReadOnlySpan<char> instruction, ReadOnlySpan<char> input, TokenBuffer ids)
    {
        _text.Clear();
        foreach (var part in ReferenceEquals(_template.FormFor(input), _template.WithInput) ? _withInput : _withoutInput)
        {
            if (part.Id is { } special)
            {
                Flush(ids);
                ids.Add(special);
            }
            else
            {
                _text.Append(part.Text switch { InstructionTemplate.Instruction => instruction, InstructionTemplate.Input => input, var text => text });
            }
        }
        Flush(ids);
    }

    /// <inheritdoc cref="Encode(ReadOnlySpan{char}, ReadOnlySpan{char}, TokenBuffer)"/>
    public int[] Encode(string instruction, string input)
    {
        var ids = new TokenBuffer();
        Encode(instruction, input, ids);
        return ids.Span.ToArray();
    }

    /// <summary>Encodes a text as Transformers does: special tokens that it spells out are those tokens.</summary>
    public static int[] EncodeSpelled(TextTokenizer tokenizer, string text)
    {
        var encoder = tokenizer.CreateEncoder();
        var ids = new TokenBuffer();
        foreach (var part in Cut(text, SpecialsOf(tokenizer)))
        {
            if (part.Id is { } special)
                ids.Add(special);
            else
                encoder.Encode(part.Text, ids);
        }
        return ids.Span.ToArray();
    }

    /// <summary>Appends the ids of an answer, without an end.</summary>
    public void EncodeAnswer(ReadOnlySpan<char> answer, TokenBuffer ids) => _encoder.Encode(answer, ids);

    private void Flush(TokenBuffer ids)
    {
        if (_text.Length > 0)
            _encoder.Encode(_text.Span, ids);
        _text.Clear();
    }

    private static Part[] Compile(TextTokenizer tokenizer, string form)
    {
        var specials = SpecialsOf(tokenizer);
        return [.. InstructionTemplate.Parts(form).SelectMany(part =>
            part is InstructionTemplate.Instruction or InstructionTemplate.Input ? [new Part(part, null)] : Cut(part, specials))];
    }

    private static List<(int Id, string Text)> SpecialsOf(TextTokenizer tokenizer) =>
        [.. new[] { tokenizer.BosId, tokenizer.EosId, tokenizer.PadId }.OfType<int>().Distinct().Select(id => (id, tokenizer.IdToPiece(id)))];

    /// <summary>Cuts text at the special tokens that it spells out.</summary>
    private static IEnumerable<Part> Cut(string text, List<(int Id, string Text)> specials)
    {
        var begin = 0;
        for (var at = 0; at < text.Length;)
        {
            var found = specials.Find(special => text.AsSpan(at).StartsWith(special.Text, StringComparison.Ordinal));
            if (found.Text is null)
            {
                at++;
                continue;
            }
            if (at > begin)
                yield return new Part(text[begin..at], null);
            yield return new Part(found.Text, found.Id);
            begin = at += found.Text.Length;
        }
        if (begin < text.Length)
            yield return new Part(text[begin..], null);
    }

    /// <param name="Text">Literal text, or a field's name.</param>
    /// <param name="Id">The special token that the text spells; null elsewhere.</param>
    private readonly record struct Part(string Text, int? Id);
}
