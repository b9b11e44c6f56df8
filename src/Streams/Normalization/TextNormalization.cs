using System.Buffers;
using Streaming.Streams.Text;

namespace Streaming.Streams.Normalization;

/// <summary>The normalisation step of the text path, a batch at a time: lines in, normalised sentences out.</summary>
public static class TextNormalization
{
    /// <summary>
    /// Adds the sentences of every line, in order, to <paramref name="sentences"/>, each as one complete line. A line may
    /// yield none. Thread-safe for distinct batches; allocates nothing once the batch and the shared pool have grown.
    /// </summary>
    /// <param name="lines">Raw lines.</param>
    /// <param name="sentences">Another batch than <paramref name="lines"/>, without an unfinished line.</param>
    /// <param name="sentencesPerLine">Receives how many sentences each line yields, one entry a line; empty if nobody asks.</param>
    /// <exception cref="ArgumentException"><paramref name="sentencesPerLine"/> is neither empty nor long enough, or the batches are one.</exception>
    public static void NormalizeAndSplit(TextBatch lines, TextBatch sentences, Span<int> sentencesPerLine = default)
    {
        if (ReferenceEquals(lines, sentences))
            throw new ArgumentException("sentences need a batch of their own", nameof(sentences));
        if (!sentencesPerLine.IsEmpty && sentencesPerLine.Length < lines.Count)
            throw new ArgumentException($"room for the counts of {sentencesPerLine.Length} lines, there are {lines.Count}", nameof(sentencesPerLine));

        var longest = 0;
        for (var index = 0; index < lines.Count; index++)
            longest = Math.Max(longest, lines[index].Length);

        var scratch = ArrayPool<char>.Shared.Rent(longest);
        for (var index = 0; index < lines.Count; index++)
        {
            var length = JapaneseNormalizer.Normalize(lines[index], scratch);
            var count = SentenceSplitter.Split(scratch.AsSpan(0, length), sentences);
            if (!sentencesPerLine.IsEmpty)
                sentencesPerLine[index] = count;
        }

        ArrayPool<char>.Shared.Return(scratch);
    }

    /// <summary>Makes sentences of the lines of each document that is not dropped.</summary>
    internal static void NormalizeAndSplit(LineBatch batch)
    {
        var (lines, sentences) = (batch.Lines, batch.Next);
        var longest = 0;
        for (var index = 0; index < lines.Count; index++)
            longest = Math.Max(longest, lines[index].Length);

        var scratch = ArrayPool<char>.Shared.Rent(longest);
        var line = 0;
        foreach (ref var document in batch.Documents)
        {
            for (; line < document.LineEnd && !document.IsDropped; line++)
                SentenceSplitter.Split(scratch.AsSpan(0, JapaneseNormalizer.Normalize(lines[line], scratch)), sentences);
            line = document.LineEnd;
            document.LineEnd = sentences.Count;
        }

        ArrayPool<char>.Shared.Return(scratch);
        batch.Replace();
    }
}
