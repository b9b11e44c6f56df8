using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.ML.Tokenizers;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// Normalises text as SentencePiece's <c>Normalizer</c> does: the longest rule at each place rewrites, user-defined symbols
/// are left as they are, runs of spaces shrink to one, spaces become U+2581, a dummy space goes before (or after) the text;
/// each as the model says. A lone surrogate counts as U+FFFD, as it would after any conversion to UTF-8. Immutable.
/// </summary>
public sealed class SentencePieceNormalizer : Normalizer
{
    internal const char EscapedSpace = '\u2581';

    private readonly CharacterRules? _rules;
    private readonly PieceTrie? _userDefined;
    private readonly bool _prefix;
    private readonly bool _suffix;
    private readonly bool _removeExtraSpaces;
    private readonly char _space;

    // 0 for a UTF-16 unit that stands for itself wherever it stands; otherwise 1 + an index into the arrays below.
    private readonly ushort[] _entries = new ushort[1 << 16];
    private readonly int[] _states; // where the rules stand after this character, or negative
    private readonly int[] _values; // the rule that this character alone is, or negative
    private readonly bool[] _mayStand; // this character stands for itself unless a rule goes on with the next
    private readonly bool _spaceIsSpace; // no rule and no symbol begins with a space

    /// <param name="spec">The model's settings.</param>
    /// <param name="spaceAsSuffix">The dummy space goes after the text.</param>
    /// <param name="userDefined">Symbols that no rule touches, or null.</param>
    internal SentencePieceNormalizer(NormalizerSpec spec, bool spaceAsSuffix, PieceTrie? userDefined)
    {
        _rules = spec.CompiledRules.Length == 0 ? null : new CharacterRules(spec.CompiledRules);
        _userDefined = userDefined;
        _prefix = spec.AddDummyPrefix && !spaceAsSuffix;
        _suffix = spec.AddDummyPrefix && spaceAsSuffix;
        _removeExtraSpaces = spec.RemoveExtraWhitespaces;
        _space = spec.EscapeWhitespaces ? EscapedSpace : ' ';
        (_states, _values, _mayStand) = FindStarters();
        _spaceIsSpace = _states[_entries[' '] - 1] < 0 && userDefined?.Child(0, ' ') is null or < 0;
    }

    /// <inheritdoc/>
    public override string Normalize(string original) => Normalize((original ?? throw new ArgumentNullException(nameof(original))).AsSpan());

    /// <inheritdoc/>
    public override string Normalize(ReadOnlySpan<char> original) => Normalize(original, new CharacterBuffer()).ToString();

    /// <summary>
    /// Normalises into <paramref name="scratch"/>, whose former content is lost. The result is valid UTF-16 and lies in
    /// <paramref name="scratch"/>, or is <paramref name="text"/> itself where nothing changes.
    /// </summary>
    internal ReadOnlySpan<char> Normalize(ReadOnlySpan<char> text, CharacterBuffer scratch)
    {
        var plain = PlainRun(text);
        if (plain == text.Length && !(_prefix || _suffix))
            return _removeExtraSpaces ? text.TrimEnd(_space) : text;
        scratch.Clear();
        if (!TryNormalize(text, scratch))
        {
            scratch.Clear();
            TryNormalize(WithoutLoneSurrogates(text), scratch);
        }
        return scratch.Span;
    }

    // False where a lone surrogate turns up.
    private bool TryNormalize(ReadOnlySpan<char> text, CharacterBuffer normalized)
    {
        if (_removeExtraSpaces)
        {
            while (!text.IsEmpty && _entries[text[0]] != 0)
            {
                if (!TryRewritePrefix(text, out var length, out var rewritten))
                    return false;
                if (rewritten is not " ")
                    break;
                text = text[length..];
            }
        }
        if (text.IsEmpty)
            return true;
        if (_prefix)
            normalized.Append(_space);

        var afterSpace = _removeExtraSpaces;
        while (!text.IsEmpty)
        {
            var plain = PlainRun(text);
            if (plain > 0)
            {
                normalized.Append(text[..plain]);
                text = text[plain..];
                afterSpace = false;
                continue;
            }
            if (text[0] == ' ' && _spaceIsSpace)
            {
                if (!afterSpace)
                    normalized.Append(_space);
                afterSpace = _removeExtraSpaces;
                text = text[1..];
                continue;
            }
            if (!TryRewritePrefix(text, out var length, out var rewritten))
                return false;
            if (afterSpace)
                rewritten = rewritten.TrimStart(' ');
            if (!rewritten.IsEmpty)
            {
                foreach (var character in rewritten)
                    normalized.Append(character == ' ' ? _space : character);
                afterSpace = _removeExtraSpaces && rewritten[^1] == ' ';
            }
            text = text[length..];
        }

        if (_removeExtraSpaces)
            normalized.Truncate(normalized.Span.TrimEnd(_space).Length);
        if (_suffix)
            normalized.Append(_space);
        return true;
    }

    private int PlainRun(ReadOnlySpan<char> text)
    {
        var entries = _entries;
        for (var i = 0; i < text.Length; i++)
        {
            var entry = entries[text[i]] - 1;
            if (entry < 0)
                continue;
            if (!_mayStand[entry] || (i + 1 < text.Length && _rules!.MayStep(_states[entry], text[i + 1])))
                return i;
        }
        return text.Length;
    }

    // What the text begins with (its length) and what stands for it; false at a lone surrogate.
    private bool TryRewritePrefix(ReadOnlySpan<char> text, out int length, out ReadOnlySpan<char> rewritten)
    {
        rewritten = default;
        if (_userDefined is not null && (length = _userDefined.LongestPrefix(text)) > 0)
        {
            rewritten = text[..length];
            return true;
        }
        if (Rune.DecodeFromUtf16(text, out var character, out length) != OperationStatus.Done)
            return false;
        rewritten = text[..length];
        if (_rules is null)
            return true;

        var entry = _entries[text[0]] - 1;
        var (state, rule) = length == 1 ? (_states[entry], _values[entry]) : (_rules.Root, -1);
        if (length == 2 && state >= 0)
            state = _rules.Step(state, character, out rule);
        for (var end = length; state >= 0 && end < text.Length;)
        {
            if (Rune.DecodeFromUtf16(text[end..], out character, out var step) != OperationStatus.Done)
                return false;
            state = _rules.Step(state, character, out var longer);
            end += step;
            if (longer >= 0)
                (rule, length) = (longer, end);
        }
        if (rule >= 0)
            rewritten = _rules.Replacement(rule);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (int[] States, int[] Values, bool[] MayStand) FindStarters()
    {
        var states = new List<int> { -1 }; // the first entry is that of all surrogates
        var values = new List<int> { -1 };
        var mayStand = new List<bool> { false };
        for (var unit = 0; unit < _entries.Length; unit++)
        {
            if (char.IsSurrogate((char)unit))
            {
                _entries[unit] = 1;
                continue;
            }
            var (state, rule) = (-1, -1);
            if (_rules is { Root: >= 0 and var root })
                state = _rules.Step(root, new Rune(unit), out rule);
            var isOrdinary = unit != ' ' && (_userDefined is null || _userDefined.Child(0, (char)unit) < 0);
            if (state < 0 && isOrdinary)
                continue;
            states.Add(state);
            values.Add(rule);
            mayStand.Add(isOrdinary && rule < 0);
            _entries[unit] = (ushort)states.Count;
        }
        return (states.ToArray(), values.ToArray(), mayStand.ToArray());
    }

    /// <summary>The text itself, or a copy with U+FFFD in place of each lone surrogate.</summary>
    internal static ReadOnlySpan<char> WithoutLoneSurrogates(ReadOnlySpan<char> text)
    {
        char[]? clean = null;
        for (var i = 0; i < text.Length;)
        {
            if (Rune.DecodeFromUtf16(text[i..], out _, out var length) != OperationStatus.Done)
                (clean ??= text.ToArray()).AsSpan(i, length).Fill('\uFFFD');
            i += length;
        }
        return clean ?? text;
    }
}
