using Microsoft.ML.Tokenizers;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// What turns text into token ids and back: a SentencePiece model (<see cref="PieceTokenizer"/>) or a <c>tokenizer.json</c>
/// (<see cref="JsonTokenizer"/>). Immutable, so that all threads may share it; the hot path is a <see cref="TextEncoder"/> each.
/// </summary>
public abstract partial class TextTokenizer : Tokenizer
{
    /// <summary>The names under which model folders hold a tokenizer, the preferred first.</summary>
    public const string ModelFileName = "tokenizer.model", JsonFileName = "tokenizer.json";

    private protected TextTokenizer()
    {
    }

    /// <summary>Loads a SentencePiece <c>.model</c> file, or a <c>tokenizer.json</c>, told by the name's ending.</summary>
    /// <exception cref="InvalidDataException">The file is neither, is broken, or has parts that are not supported: one sentence.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static TextTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return IsJson(path) ? JsonTokenizer.Load(path) : PieceTokenizer.Load(path);
    }

    /// <summary>Whether a file is taken for a <c>tokenizer.json</c>.</summary>
    public static bool IsJson(string path) => path.EndsWith(".json", StringComparison.OrdinalIgnoreCase);

    /// <summary>The name that the tokenizer's file has in a model's folder.</summary>
    public static string FileNameOf(string path) => IsJson(path) ? JsonFileName : ModelFileName;

    /// <summary>SHA-256 of what decides the ids, in hexadecimal: two tokenizers with the same one encode alike.</summary>
    public abstract string Fingerprint { get; }

    /// <summary>One more than the highest id.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>What stands for text that no piece covers, with byte fallback never encoded to; negative where there is none.</summary>
    public abstract int UnknownId { get; }

    /// <summary>Begin of sentence; null where there is none.</summary>
    public abstract int? BosId { get; }

    /// <summary>End of sentence; null where there is none.</summary>
    public abstract int? EosId { get; }

    /// <summary>Padding; null where there is none.</summary>
    public abstract int? PadId { get; }

    /// <summary>Whether characters that no piece covers become the pieces of their UTF-8 bytes.</summary>
    public abstract bool HasByteFallback { get; }

    /// <summary>Whether the tokenizer itself puts the begin of sentence before a prompt; null where its file does not say.</summary>
    public virtual bool? AddsBos => null;

    /// <summary>The piece of an id as the vocabulary spells it: U+2581 for a space, <c>&lt;0x0A&gt;</c> for a byte.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public abstract string IdToPiece(int id);

    /// <summary>What an id stands for, by itself: with spaces, and a byte that is no character as <c>&lt;0xE3&gt;</c>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such id.</exception>
    public virtual string IdToText(int id) => IdToPiece(id).Replace(SentencePieceNormalizer.EscapedSpace, ' ');

    /// <summary>The id of a piece; <see cref="UnknownId"/> where there is none.</summary>
    public abstract int PieceToId(ReadOnlySpan<char> piece);

    /// <summary>What one thread encodes with: it reuses its scratch memory.</summary>
    public abstract TextEncoder CreateEncoder();

    /// <summary>What turns ids into text as they come; one for each text.</summary>
    public IncrementalDecoder CreateDecoder() => new(BeginDecoding());

    internal abstract TextDecoding BeginDecoding();
}

/// <summary>Encodes text without allocating, once its scratch memory fits the longest text. Not thread-safe.</summary>
public abstract class TextEncoder
{
    private protected TextEncoder()
    {
    }

    /// <summary>Appends the ids of <paramref name="text"/> to <paramref name="ids"/>; no begin or end of sentence is added.</summary>
    public void Encode(ReadOnlySpan<char> text, TokenBuffer ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        Encode(text, normalize: true, ids, ends: null);
    }

    /// <summary>The text as the model sees it (valid until the next call), its ids and, where asked for, where each ends in it.</summary>
    internal abstract ReadOnlySpan<char> Encode(ReadOnlySpan<char> text, bool normalize, TokenBuffer ids, TokenBuffer? ends);
}

/// <summary>Where the decoding of one text stands. Not thread-safe.</summary>
internal abstract class TextDecoding
{
    /// <summary>Some of what was appended is not in the text yet.</summary>
    public abstract bool HoldsBack { get; }

    /// <summary>Appends the text that is certain now.</summary>
    /// <exception cref="InvalidOperationException">There is no such id.</exception>
    public abstract void Append(int id, CharacterBuffer text);

    /// <summary>Appends what was held back; bytes that never became a character show U+FFFD.</summary>
    public abstract void Finish(CharacterBuffer text);
}
