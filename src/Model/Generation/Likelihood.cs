namespace Streaming.Model.Generation;

// Shapes: V vocabulary.

/// <summary>How probable texts are after a prompt. Takes the decoder's first slot; what texts have in common is read once.</summary>
public sealed class Likelihood(IDecoder decoder)
{
    private const int RowsAtOnce = 32; // bounds the memory of a large vocabulary's rows

    private readonly float[] _logits = new float[RowsAtOnce * decoder.Model.VocabularySize];
    private readonly List<int> _held = [];

    /// <summary>Scores a continuation.</summary>
    /// <param name="text">Prompt and continuation; where it does not fit the context, it loses its beginning.</param>
    /// <param name="from">Index of the continuation's first token, at least 1.</param>
    /// <returns>Its log probability in nats, and whether each of its tokens is the most probable one.</returns>
    public (double LogProbability, bool IsGreedy) Score(ReadOnlySpan<int> text, int from)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(from, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from, text.Length);
        DecoderChecks.CheckTokens(decoder.Model, text);
        // The last token predicts nothing that is asked for.
        var read = text[..^1];
        if (read.Length > decoder.ContextLength)
        {
            var cut = Math.Min(read.Length - decoder.ContextLength, from - 1);
            text = text[cut..];
            read = read[cut..];
            from -= cut;
            if (read.Length > decoder.ContextLength)
                throw new GenerationException("text", $"the text to score has {text.Length - from} tokens, the context holds {decoder.ContextLength}; shorten it");
        }
        ReadUpTo(read, from - 1);
        var (sum, greedy) = (0.0, true);
        for (var at = from - 1; at < read.Length;)
        {
            var count = Math.Min(RowsAtOnce, read.Length - at);
            decoder.Forward([new(0, count)], read.Slice(at, count), LogitRows.All, _logits);
            _held.AddRange(read.Slice(at, count));
            for (var i = 0; i < count; i++, at++)
            {
                var row = _logits.AsSpan(i * decoder.Model.VocabularySize, decoder.Model.VocabularySize);
                sum += row[text[at + 1]] - Probabilities.LogSumExp(row);
                greedy &= Probabilities.ArgMax(row) == text[at + 1];
            }
        }
        return (sum, greedy);
    }

    /// <summary>Brings the slot to the first <paramref name="length"/> tokens, from where it differs.</summary>
    private void ReadUpTo(ReadOnlySpan<int> text, int length)
    {
        var known = Math.Min(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_held).CommonPrefixLength(text), length);
        decoder.Truncate(0, known);
        _held.RemoveRange(known, _held.Count - known);
        while (known < length)
        {
            var count = Math.Min(decoder.MaxTokensInPass, length - known);
            decoder.Forward([new(0, count)], text.Slice(known, count), LogitRows.None, []);
            _held.AddRange(text.Slice(known, count));
            known += count;
        }
    }
}
