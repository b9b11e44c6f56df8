using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Engines;

/// <summary>
/// A model whose attention can be worked out by hand: queries and keys are zero, so that a position attends evenly to all that it
/// sees; values, their output and the classifier are the identity, and the feed-forward layer is zero.
/// </summary>
public sealed class SlidingWindowSpec
{
    private const int Width = 16, Columns = 12;

    private static MistralConfig Config(int? window) => TinyModels.Config with
    {
        VocabularySize = Width,
        HiddenSize = Width,
        LayerCount = 1,
        HeadCount = 2,
        KeyValueHeadCount = 2,
        HeadSize = Width / 2,
        PadTokenId = null,
        SlidingWindow = window,
    };

    private sealed class EvenAttention : IWeightSource
    {
        public void Read(ModelParameter parameter, Span<float> destination)
        {
            if (parameter.Role == ParameterRole.Norm)
                destination.Fill(1);
            else if (parameter.Role == ParameterRole.Embedding)
                Embedding.CopyTo(destination);
            else
            {
                destination.Clear();
                if (parameter.Name.EndsWith("v_proj.weight") || parameter.Name.EndsWith("o_proj.weight") || parameter.Name == ModelParameter.OutputMatrix)
                    for (var i = 0; i < Width; i++) destination[i * Width + i] = 1;
            }
        }
    }

    private static readonly float[] Embedding = [.. Enumerable.Range(0, Width * Width).Select(new Random(5).NextSingleAt)];

    [Theory]
    [InlineData(null, new int[0])]
    [InlineData(1, new int[0])] // each token sees itself alone
    [InlineData(4, new int[0])]
    [InlineData(11, new int[0])] // the last token does not see the first
    [InlineData(12, new int[0])]
    [InlineData(100, new int[0])]
    [InlineData(null, new[] { 0, 3, 15 })]
    [InlineData(4, new[] { 0, 7, 12, 20 })] // a window that reaches over a document's start
    public void A_token_sees_as_many_tokens_as_the_window_has_itself_included(int? window, int[] starts)
    {
        var config = Config(window);
        int[] tokens = [.. Enumerable.Range(0, 2 * Columns).Select(i => i * 7 % Width)];
        using var engine = new ReferenceEngine(config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new EvenAttention());

        var loss = engine.Evaluate(new MicroBatch(tokens, rows: 2) { DocumentStarts = starts });

        // A mean over at most 22 losses near 3 and sums of 16 terms in float32.
        Assert.Equal(ByHand(config, tokens, starts), loss, 3e-6);
    }

    /// <summary>The loss with token i seeing tokens i - window + 1 to i of its row and document.</summary>
    private static double ByHand(MistralConfig config, int[] tokens, int[] starts)
    {
        double loss = 0;
        var predicted = 0;
        for (var i = 0; i + 1 < tokens.Length; i++)
        {
            if ((i + 1) % Columns == 0 || starts.Contains(i + 1)) continue;
            var first = Math.Max(i / Columns * Columns, starts.LastOrDefault(start => start <= i));
            if (config.SlidingWindow is { } window) first = Math.Max(first, i - window + 1);
            var x = Row(tokens[i]);
            for (var k = first; k <= i; k++)
            {
                var seen = Normed(Row(tokens[k]), config);
                for (var c = 0; c < Width; c++) x[c] += seen[c] / (i - first + 1);
            }
            var logits = Normed(x, config);
            loss += Math.Log(logits.Sum(Math.Exp)) - logits[tokens[i + 1]];
            predicted++;
        }
        return loss / predicted;
    }

    private static double[] Row(int token) => [.. Embedding.AsSpan(token * Width, Width).ToArray().Select(value => (double)value)];

    private static double[] Normed(double[] x, MistralConfig config)
    {
        var scale = 1 / Math.Sqrt(x.Sum(value => value * value) / Width + config.RmsNormEpsilon);
        return [.. x.Select(value => value * scale)];
    }
}

file static class Dice
{
    public static float NextSingleAt(this Random random, int _) => random.NextSingle() - 0.5f;
}
