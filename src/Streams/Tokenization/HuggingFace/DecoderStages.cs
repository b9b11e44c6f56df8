using System.Text;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>
/// A step of a decoder of the tokenizers library, as tokens come one by one: it passes on what is certain. A token may come in
/// several parts, once an earlier step has made one of all. One for each text; not thread-safe.
/// </summary>
internal abstract class DecoderStage
{
    /// <summary>Where the text goes; set before the first token.</summary>
    public DecoderStage? Next { get; set; }

    /// <summary>Some of the text is not passed on yet.</summary>
    public virtual bool HoldsBack => false;

    /// <summary>Takes a part of a token.</summary>
    /// <param name="isFirst">The token begins with this part.</param>
    /// <param name="isLast">It ends with it.</param>
    public abstract void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast);

    /// <summary>There are no more tokens.</summary>
    public virtual void Finish() => Next?.Finish();
}

/// <summary>The end of the chain: the text.</summary>
internal sealed class TextSink : DecoderStage
{
    public CharacterBuffer Text { get; set; } = new();

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast) => Text.Append(part);
}

/// <summary>Replaces in each token; a token that comes in parts is held back until it is whole, unless a single character is replaced.</summary>
internal sealed class ReplaceStage(TextPattern pattern, string content) : DecoderStage
{
    private readonly ReplaceText _replace = new(pattern, content);
    private readonly CharacterBuffer _token = new(), _replaced = new();
    private readonly bool _needsWhole = pattern.Literal is not { Length: 1 };

    public override bool HoldsBack => _token.Length > 0;

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast)
    {
        if (_needsWhole && !isLast)
        {
            _token.Append(part);
            return;
        }
        if (_token.Length > 0)
        {
            _token.Append(part);
            part = _token.Span;
            isFirst = true;
        }
        _replaced.Clear();
        _replace.Apply(part, _replaced);
        _token.Clear();
        Next!.Take(_replaced.Span, isFirst, isLast);
    }
}

/// <summary>
/// Tokens <c>&lt;0xE3&gt;</c> become characters, each as soon as it is whole. Of bytes that are none each shows U+FFFD, as
/// SentencePiece has it; the library shows U+FFFD for all bytes of a run in which one is wrong.
/// </summary>
internal sealed class ByteFallbackStage : DecoderStage
{
    private readonly ByteCharacters _bytes = new(oneForEachByte: true);
    private readonly CharacterBuffer _text = new();

    public override bool HoldsBack => _bytes.HoldsBack;

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast)
    {
        _text.Clear();
        if (isFirst && isLast && part.Length == 6 && Vocabulary.ByteOf(part.ToString()) is { } value)
        {
            _bytes.Append(value, _text);
            PassOn();
            return;
        }
        _bytes.Finish(_text);
        PassOn();
        Next!.Take(part, isFirst, isLast);
    }

    public override void Finish()
    {
        _text.Clear();
        _bytes.Finish(_text);
        PassOn();
        base.Finish();
    }

    private void PassOn()
    {
        if (_text.Length > 0)
            Next!.Take(_text.Span, isFirst: true, isLast: true);
    }
}

/// <summary>Byte-level tokens become text, each character as soon as it is whole; what is no UTF-8 shows U+FFFD.</summary>
internal sealed class ByteLevelStage : DecoderStage
{
    private readonly ByteCharacters _bytes = new(oneForEachByte: false);
    private readonly CharacterBuffer _text = new();
    private bool _isFirst = true;

    public override bool HoldsBack => _bytes.HoldsBack;

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast)
    {
        _text.Clear();
        var isBytes = true;
        foreach (var character in part)
            isBytes &= ByteAlphabet.TryGetByte(character, out _);
        if (isBytes)
        {
            foreach (var character in part)
            {
                ByteAlphabet.TryGetByte(character, out var value);
                _bytes.Append(value, _text);
            }
        }
        else // an added token, which is text already
        {
            foreach (var value in Encoding.UTF8.GetBytes(part.ToArray()))
                _bytes.Append(value, _text);
        }
        PassOn(isLast: false);
    }

    public override void Finish()
    {
        _text.Clear();
        _bytes.Finish(_text);
        PassOn(isLast: true);
        base.Finish();
    }

    private void PassOn(bool isLast)
    {
        if (_text.Length == 0 && !(isLast && !_isFirst))
            return;
        Next!.Take(_text.Span, _isFirst, isLast); // the whole text is one token from here on
        _isFirst = false;
    }
}

/// <summary>Makes one token of all.</summary>
internal sealed class FuseStage : DecoderStage
{
    private bool _isFirst = true;

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast)
    {
        if (part.IsEmpty)
            return;
        Next!.Take(part, _isFirst, isLast: false);
        _isFirst = false;
    }

    public override void Finish()
    {
        if (!_isFirst)
            Next!.Take([], isFirst: false, isLast: true);
        base.Finish();
    }
}

/// <summary>Drops up to a number of one character at the beginning and at the end of each token.</summary>
internal sealed class StripStage(char content, int start, int stop) : DecoderStage
{
    private readonly CharacterBuffer _held = new(); // at the end, at most as many as may be dropped
    private int _toDrop;
    private bool _isFirst;

    public override bool HoldsBack => _held.Length > 0;

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast)
    {
        if (isFirst)
            (_toDrop, _isFirst) = (start, true);
        while (_toDrop > 0 && !part.IsEmpty)
        {
            if (part[0] != content)
            {
                _toDrop = 0;
                continue;
            }
            part = part[1..];
            _toDrop--;
        }
        _held.Append(part);
        var certain = isLast ? CertainAtEnd() : Math.Max(0, _held.Length - stop);
        if (certain > 0 || isLast)
        {
            Next!.Take(_held.Span[..certain], _isFirst, isLast);
            _isFirst = false;
        }
        var rest = isLast ? "" : _held.Span[certain..].ToString();
        _held.Clear();
        _held.Append(rest);
    }

    private int CertainAtEnd()
    {
        var length = _held.Length;
        for (var dropped = 0; dropped < stop && length > 0 && _held.Span[length - 1] == content; dropped++)
            length--;
        return length;
    }
}

/// <summary>U+2581 becomes a space; those of the first token go.</summary>
internal sealed class MetaspaceStage(char replacement, bool dropsFirst) : DecoderStage
{
    private readonly CharacterBuffer _text = new();
    private bool _isFirstToken = true;

    public override void Take(ReadOnlySpan<char> part, bool isFirst, bool isLast)
    {
        _text.Clear();
        foreach (var character in part)
        {
            if (character != replacement)
                _text.Append(character);
            else if (!_isFirstToken || !dropsFirst)
                _text.Append(' ');
        }
        _isFirstToken &= !isLast;
        Next!.Take(_text.Span, isFirst, isLast);
    }
}
