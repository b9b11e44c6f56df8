using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.ML.Tokenizers;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// What <see cref="Tokenizer"/> asks for. Offsets, consumed characters and indexes count UTF-16 units of the normalised
/// text, or of the text itself where normalisation is switched off. A limit never cuts through the bytes of a character.
/// </summary>
public abstract partial class TextTokenizer
{
    private Workspace? _spare;

    /// <summary>None that stands by itself: what splits the text belongs to the encoder.</summary>
    public override PreTokenizer? PreTokenizer => null;

    /// <inheritdoc/>
    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var work = Take();
        var normalized = work.Encode(text ?? textSpan, settings);
        var count = work.FittingFromStart(settings.MaxTokenCount);
        var tokens = new EncodedToken[count];
        for (var i = 0; i < count; i++)
        {
            var (id, start, end) = (work.Ids.Span[i], work.EndAfter(i), work.EndAfter(i + 1));
            var value = id == UnknownId ? normalized[start..end].ToString() : IdToPiece(id);
            tokens[i] = new EncodedToken(id, value, start..end);
        }
        var results = new EncodeResults<EncodedToken>
        {
            Tokens = tokens,
            NormalizedText = settings.ConsiderNormalization ? normalized.ToString() : null,
            CharsConsumed = work.EndAfter(count),
        };
        Return(work);
        return results;
    }

    /// <inheritdoc/>
    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var work = Take();
        var normalized = work.Encode(text ?? textSpan, settings);
        var count = work.FittingFromStart(settings.MaxTokenCount);
        var results = new EncodeResults<int>
        {
            Tokens = work.Ids.Span[..count].ToArray(),
            NormalizedText = settings.ConsiderNormalization ? normalized.ToString() : null,
            CharsConsumed = work.EndAfter(count),
        };
        Return(work);
        return results;
    }

    /// <inheritdoc/>
    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        var work = Take();
        work.Encode(text ?? textSpan, settings);
        var count = work.FittingFromStart(settings.MaxTokenCount);
        Return(work);
        return count;
    }

    /// <inheritdoc/>
    protected override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        var work = Take();
        var normalized = work.Encode(text ?? textSpan, settings);
        normalizedText = settings.ConsiderNormalization ? normalized.ToString() : null;
        var boundary = fromEnd ? work.FittingFromEnd(settings.MaxTokenCount) : work.FittingFromStart(settings.MaxTokenCount);
        tokenCount = fromEnd ? work.Ids.Count - boundary : boundary;
        var index = work.EndAfter(boundary);
        Return(work);
        return index;
    }

    /// <summary>The text of ids: as <see cref="Decode(IEnumerable{int})"/>.</summary>
    /// <exception cref="InvalidOperationException">An id is not of this vocabulary.</exception>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var text = new CharacterBuffer();
        var decoding = BeginDecoding();
        foreach (var id in ids)
            decoding.Append(id, text);
        decoding.Finish(text);
        return text.Span.ToString();
    }

    /// <summary>
    /// The text of ids. Control pieces show nothing, the unknown piece what the model says; bytes that are no UTF-8 show
    /// U+FFFD each.
    /// </summary>
    /// <exception cref="InvalidOperationException">An id is not of this vocabulary.</exception>
    public override string Decode(IEnumerable<int> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        return Decode(ids is int[] array ? array : CollectionsMarshal.AsSpan(ids as List<int> ?? ids.ToList()));
    }

    /// <summary>
    /// Decodes as many ids as their text fits <paramref name="destination"/>, without cutting a character; the text of
    /// <paramref name="idsConsumed"/> ids is what was written.
    /// </summary>
    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        ArgumentNullException.ThrowIfNull(ids);
        (idsConsumed, charsWritten) = (0, 0);
        var decoding = BeginDecoding();
        var text = new CharacterBuffer();
        var read = 0;
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)VocabularySize)
                return OperationStatus.InvalidData;
            decoding.Append(id, text);
            read++;
            if (decoding.HoldsBack)
                continue;
            if (!text.Span.TryCopyTo(destination[charsWritten..]))
                return OperationStatus.DestinationTooSmall;
            (idsConsumed, charsWritten) = (read, charsWritten + text.Length);
            text.Clear();
        }
        decoding.Finish(text);
        if (!text.Span.TryCopyTo(destination[charsWritten..]))
            return OperationStatus.DestinationTooSmall;
        (idsConsumed, charsWritten) = (read, charsWritten + text.Length);
        return OperationStatus.Done;
    }

    // One spare workspace serves the common case of one caller at a time; others make their own.
    private Workspace Take() => Interlocked.Exchange(ref _spare, null) ?? new Workspace(CreateEncoder());

    private void Return(Workspace work) => Volatile.Write(ref _spare, work);

    private sealed class Workspace(TextEncoder encoder)
    {
        private readonly TokenBuffer _ends = new();

        public TokenBuffer Ids { get; } = new();

        public ReadOnlySpan<char> Encode(ReadOnlySpan<char> text, EncodeSettings settings)
        {
            Ids.Clear();
            _ends.Clear();
            return encoder.Encode(text, settings.ConsiderNormalization, Ids, _ends);
        }

        /// <summary>Where the first <paramref name="count"/> tokens end.</summary>
        public int EndAfter(int count) => count == 0 ? 0 : _ends.Span[count - 1];

        /// <summary>Tokens from the start, at most <paramref name="limit"/>.</summary>
        public int FittingFromStart(int limit)
        {
            var count = Math.Min(Ids.Count, limit);
            while (CutsCharacter(count))
                count--;
            return count;
        }

        /// <summary>Tokens to leave out so that at most <paramref name="limit"/> remain to the end.</summary>
        public int FittingFromEnd(int limit)
        {
            var left = Math.Max(0, Ids.Count - limit);
            while (CutsCharacter(left))
                left++;
            return left;
        }

        // All bytes of a character but the last end where it begins.
        private bool CutsCharacter(int count) => count > 0 && EndAfter(count) == EndAfter(count - 1);
    }
}
