using Streaming.Model.Generation;
using Streaming.Model.Generation.Cuda;
using Streaming.Model.Generation.Host;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Gpu;

/// <summary>The GPU's decoder beside the one for processors, with the same weights.</summary>
[Collection(GpuCollection.Name)]
public sealed class GpuDecoderSpec
{
    // Weights, inputs of products, keys and values are rounded to bf16, 2^-9 of each, over four layers.
    private const double Tolerance = 0.02;

    private static readonly MistralConfig Config = new()
    {
        VocabularySize = 1003,
        HiddenSize = 256,
        IntermediateSize = 520,
        LayerCount = 4,
        HeadCount = 8,
        KeyValueHeadCount = 2,
        HeadSize = 64,
        MaxPositions = 2048,
        InitializerRange = 0.06,
    };

    [Theory]
    [InlineData(null)]
    [InlineData(100)]
    public void Texts_of_many_lengths_score_as_the_processors_decoder_does(int? window)
    {
        Gpu.Require();
        var config = Config with { SlidingWindow = window };
        var weights = new RandomWeights(config, 3);
        using var expected = HostDecoder.Copy(config, weights, 20, 1500);
        using var actual = GpuDecoder.Copy(config, weights, 20, 1500);
        var random = new Random(1);
        void Check(LogitRows rows, params (int Slot, int Count)[] parts) => Compare(expected, actual, random, rows, parts);

        Check(LogitRows.Last, (0, 128));
        Check(LogitRows.All, (1, 97), (2, 1), (3, 20)); // one pass of what the processors take at once
        for (var i = 0; i < 7; i++) Check(LogitRows.None, (4, 128));
        Check(LogitRows.All, (4, 100)); // two rounds of logits
        for (var texts = 1; texts <= 20; texts++) Check(LogitRows.Last, [.. Enumerable.Range(0, texts).Select(slot => (slot, 1))]);
        SlotCopy[] copies = [new(4, 9), new(0, 4), new(9, 0)];
        expected.Copy(copies);
        actual.Copy(copies);
        expected.Truncate(1, 50);
        actual.Truncate(1, 50);
        Check(LogitRows.Last, (9, 1), (0, 2), (4, 1), (1, 5));
        Check(LogitRows.Last, (9, 1), (0, 1), (4, 1), (1, 1));
    }

    [Fact]
    public void The_greedy_token_is_that_of_the_logits()
    {
        Gpu.Require();
        var weights = new RandomWeights(Config, 3);
        using var decoder = GpuDecoder.Copy(Config, weights, 20, 300);
        var logits = new float[20 * Config.VocabularySize];
        var best = new int[20];
        DecoderPart[] all = [.. Enumerable.Range(0, 20).Select(slot => new DecoderPart(slot, 1))];
        decoder.Forward([new(0, 30)], Text(30), LogitRows.None, []);
        for (var texts = 1; texts <= 20; texts++)
        {
            var tokens = Text(texts);
            decoder.Forward(all.AsSpan(0, texts), tokens, LogitRows.Last, logits);
            for (var slot = 0; slot < texts; slot++) decoder.Truncate(slot, decoder.Length(slot) - 1);
            decoder.ForwardGreedy(all.AsSpan(0, texts), tokens, best);
            for (var slot = 0; slot < texts; slot++)
            {
                var row = logits.AsSpan(slot * Config.VocabularySize, Config.VocabularySize);
                Assert.Equal(row.IndexOf(row.ToArray().Max()), best[slot]);
            }
        }
        int[] Text(int length) => [.. Enumerable.Range(0, length).Select(i => (i * 37 + length) % Config.VocabularySize)];
    }

    [Fact]
    public void Steps_of_one_text_repeat_to_the_bit_and_allocate_nothing()
    {
        Gpu.Require();
        using var decoder = GpuDecoder.Copy(Config, new RandomWeights(Config, 3), 3, 300);
        var (first, second) = (new float[Config.VocabularySize], new float[Config.VocabularySize]);
        decoder.Forward([new(0, 64)], new int[64], LogitRows.None, []);
        DecoderPart[] part = [new(0, 1)];
        void Steps(float[] logits)
        {
            for (var i = 0; i < 200; i++) decoder.Forward(part, [i], LogitRows.Last, logits);
            decoder.Truncate(0, 64);
        }

        Steps(first);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Steps(second);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(first, second);
    }

    private static void Compare(HostDecoder expected, GpuDecoder actual, Random random, LogitRows rows, (int Slot, int Count)[] parts)
    {
        DecoderPart[] both = [.. parts.Select(part => new DecoderPart(part.Slot, part.Count))];
        int[] tokens = [.. Enumerable.Range(0, parts.Sum(part => part.Count)).Select(_ => random.Next(Config.VocabularySize))];
        var count = rows switch { LogitRows.None => 0, LogitRows.Last => parts.Length, _ => tokens.Length };
        var (wanted, got) = (new float[count * Config.VocabularySize], new float[count * Config.VocabularySize]);
        expected.Forward(both, tokens, rows, wanted);
        actual.Forward(both, tokens, rows, got);
        Assert.Equal(parts.Select(part => expected.Length(part.Slot)), parts.Select(part => actual.Length(part.Slot)));
        if (count > 0) Assert.InRange(Closeness.RelativeError(got, wanted), 0, Tolerance);
    }
}
