using System.Runtime.InteropServices;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// The text to train on as different runs and how often each occurs. A run is as much text as one piece could span: it ends
/// where the script changes, before a space and at a character without a code. Segmentations of a text are segmentations of
/// its runs, so nothing is lost, and frequent runs are worked on once. Not thread-safe while runs are added.
/// </summary>
/// <param name="alphabet">Gives the characters' codes.</param>
internal sealed class TextRuns(Alphabet alphabet)
{
    /// <summary>What follows a run that different characters follow.</summary>
    public const int Various = -1;

    /// <summary>What follows a run that always ends its sentence.</summary>
    public const int EndOfSentence = -2;

    private const byte AnyScript = byte.MaxValue;

    private ushort[] _text = new ushort[1 << 16]; // run after run, each ended by Alphabet.None
    private int _length;
    private int[] _starts = new int[(1 << 12) + 1]; // the last entry is where the next run will start
    private int[] _counts = new int[1 << 12];
    private int[] _followers = new int[1 << 12];
    private int[] _table = new int[1 << 13]; // hash → 1 + run

    /// <summary>Different runs.</summary>
    public int Count { get; private set; }

    /// <summary>Codes, run after run; <see cref="Alphabet.None"/> ends each.</summary>
    public ReadOnlySpan<ushort> Text => _text.AsSpan(0, _length);

    public Alphabet Alphabet => alphabet;

    /// <summary>Where a run starts in <see cref="Text"/>.</summary>
    public int StartOf(int run) => _starts[run];

    /// <summary>Codes of a run.</summary>
    public int LengthOf(int run) => _starts[run + 1] - _starts[run] - 1;

    /// <summary>How often a run occurs.</summary>
    public int CountOf(int run) => _counts[run];

    /// <summary>The code of the character that always follows a run, <see cref="EndOfSentence"/> or <see cref="Various"/>.</summary>
    public int FollowerOf(int run) => _followers[run];

    /// <summary>Cuts a normalised sentence into runs and counts them.</summary>
    public void Add(ReadOnlySpan<char> sentence)
    {
        EnsureRoom(sentence.Length);
        var start = _length;
        var script = AnyScript;
        foreach (var character in sentence.EnumerateRunes())
        {
            var code = alphabet.CodeOf(character);
            if (code == Alphabet.None)
            {
                start = End(start, follower: code);
                script = AnyScript;
                continue;
            }
            if (character.Value == SentencePieceNormalizer.EscapedSpace)
            {
                start = End(start, follower: code);
                script = AnyScript;
            }
            else
            {
                var own = UnicodeScripts.Of(character);
                if (own == UnicodeScripts.Inherited)
                    own = script; // a combining mark goes with what it marks
                if (own != script && script != AnyScript)
                    start = End(start, follower: code);
                script = own;
            }
            _text[_length++] = code;
        }
        End(start, EndOfSentence);
    }

    /// <summary>Counts the run from <paramref name="start"/> to the end of the text; returns where the next starts.</summary>
    private int End(int start, int follower)
    {
        if (_length == start)
            return start;
        var run = _text.AsSpan(start, _length - start);
        var mask = _table.Length - 1;
        for (var slot = Hash(run) & mask; ; slot = (slot + 1) & mask)
        {
            var known = _table[slot] - 1;
            if (known < 0)
            {
                _table[slot] = Count + 1;
                break;
            }
            if (run.SequenceEqual(_text.AsSpan(_starts[known], LengthOf(known))))
            {
                _counts[known]++;
                if (_followers[known] != follower)
                    _followers[known] = Various;
                return _length = start;
            }
        }
        _text[_length++] = Alphabet.None;
        if (Count == _counts.Length)
        {
            Array.Resize(ref _starts, Count * 2 + 1);
            Array.Resize(ref _counts, Count * 2);
            Array.Resize(ref _followers, Count * 2);
        }
        _followers[Count] = follower;
        _counts[Count++] = 1;
        _starts[Count] = _length;
        if (Count * 2L > _table.Length)
            GrowTable();
        return _length;
    }

    private void EnsureRoom(int characters)
    {
        var needed = _length + 2L * characters + 1; // each character may be a run, which its end follows
        if (needed <= _text.Length)
            return;
        if (needed > Array.MaxLength)
            throw new TokenizerTrainingException(
                $"the sentences hold more than {Array.MaxLength / 1_000_000} million characters in different runs; lower the input sentence size.");
        Array.Resize(ref _text, (int)Math.Min(Array.MaxLength, Math.Max(needed, _text.Length * 2L)));
    }

    private void GrowTable()
    {
        _table = new int[_table.Length * 2];
        var mask = _table.Length - 1;
        for (var run = 0; run < Count; run++)
        {
            var slot = Hash(_text.AsSpan(_starts[run], LengthOf(run))) & mask;
            while (_table[slot] != 0)
                slot = (slot + 1) & mask;
            _table[slot] = run + 1;
        }
    }

    private static int Hash(ReadOnlySpan<ushort> run)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var pair in MemoryMarshal.Cast<ushort, uint>(run))
            hash = (hash ^ pair) * 0x9E3779B97F4A7C15;
        if ((run.Length & 1) != 0)
            hash = (hash ^ run[^1]) * 0x9E3779B97F4A7C15;
        return (int)(hash >> 33);
    }
}
