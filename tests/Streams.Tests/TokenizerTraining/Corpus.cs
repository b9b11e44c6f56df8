using System.Text;
using Streaming.Streams.Normalization;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;
using Streaming.Streams.TokenizerTraining;
using Streaming.Tests;

namespace Streaming.Streams.Tests.TokenizerTraining;

/// <summary>Small texts to train on.</summary>
internal static class Corpus
{
    private static readonly Lazy<TextBatch> _sample = new(() =>
    {
        var (lines, sentences) = (new TextBatch(), new TextBatch());
        foreach (var line in File.ReadLines(Path.Combine(ReferenceData.RepositoryRoot, "samples", "corpus-ja.txt")))
            lines.AppendLine(line);
        TextNormalization.NormalizeAndSplit(lines, sentences);
        return sentences;
    });

    /// <summary>The sentences of samples/corpus-ja.txt, normalised.</summary>
    public static TextBatch Sample => _sample.Value;

    public static TextBatch Of(params IEnumerable<string> sentences)
    {
        var batch = new TextBatch();
        foreach (var sentence in sentences)
            batch.AppendLine(sentence);
        return batch;
    }

    /// <summary>Runs of sentences whose characters all have a code.</summary>
    public static TextRuns RunsOf(params IEnumerable<string> sentences)
    {
        var counts = new long[sentences.SelectMany(sentence => sentence.EnumerateRunes()).Max(character => character.Value) + 1];
        foreach (var character in sentences.SelectMany(sentence => sentence.EnumerateRunes()))
            counts[character.Value]++;
        var runs = new TextRuns(new Alphabet(counts, coverage: 1));
        foreach (var sentence in sentences)
            runs.Add(sentence);
        return runs;
    }

    public static string TextOf(this TextRuns runs, Substring piece) => runs.Alphabet.ToText(runs.Text.Slice(piece.Start, piece.Length));

    /// <summary>Trains a model and loads it as any user would.</summary>
    public static TextTokenizer Train(TextBatch sentences, TokenizerTrainingOptions options)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, new TokenizerTrainer(options).Train([sentences], CancellationToken.None));
            return TextTokenizer.Load(path);
        }
        finally
        {
            File.Delete(path);
        }
    }

    public static int Encode(this TextTokenizer tokenizer, string text, out int[] ids)
    {
        var buffer = new TokenBuffer();
        tokenizer.CreateEncoder().Encode(text, buffer);
        ids = buffer.Span.ToArray();
        return ids.Length;
    }

    public static string Decode(this TextTokenizer tokenizer, ReadOnlySpan<int> ids)
    {
        var text = new StringBuilder();
        var decoder = tokenizer.CreateDecoder();
        foreach (var id in ids)
            text.Append(decoder.Append(id));
        return text.Append(decoder.Finish()).ToString();
    }
}
