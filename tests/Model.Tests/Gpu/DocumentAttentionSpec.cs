using Streaming.Model.Engines;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Gpu;

/// <summary>Documents, loss masks, padding, absent rows and sliding windows in the fused engine, against the reference engine in float32.</summary>
[Collection(GpuCollection.Name)]
public sealed class DocumentAttentionSpec
{
    private const int Rows = 3, Tokens = 192;

    // Weights far enough apart that attention looks at something in particular.
    private static readonly MistralConfig Config = new()
    {
        VocabularySize = 1003,
        HiddenSize = 256,
        IntermediateSize = 320,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 64,
        InitializerRange = 0.06,
        PadTokenId = 0,
    };

    private static readonly int[] Few = [0, 5, 130, 192, 300, 301, 302];

    // A document each three tokens: more than the first graphs have room for.
    private static readonly int[] Many = [.. Enumerable.Range(0, Rows * Tokens / 3).Select(i => 3 * i)];

    [Fact]
    public async Task Another_thread_than_the_one_that_made_the_engine_is_refused()
    {
        Gpu.Require(Precision.BFloat16);
        using var engine = Gpu.Fused(Config, new OptimizerOptions(), new RandomWeights(Config, 1), Rows, Tokens, Precision.BFloat16);
        var refusal = await Assert.ThrowsAsync<InvalidOperationException>(() => Task.Factory.StartNew(
            () => engine.Evaluate(new MicroBatch(new int[Rows * Tokens], Rows) { DocumentStarts = Many }), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        Assert.Contains("one thread makes and calls it", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, Precision.BFloat16, false, false)]
    [InlineData(null, Precision.BFloat16, true, false)]
    [InlineData(null, Precision.BFloat16, false, true)]
    [InlineData(100, Precision.BFloat16, false, false)] // one more than what lies on either side of a block of 64 or 128
    [InlineData(2, Precision.BFloat16, false, false)]
    [InlineData(191, Precision.BFloat16, true, false)]
    [InlineData(100, Precision.Float8, false, false)]
    public void Every_micro_batch_has_the_reference_engines_loss_and_gradients(int? window, Precision precision, bool wide, bool deterministic)
    {
        Gpu.Require(precision);
        var config = Config with { SlidingWindow = window };
        var weights = new RandomWeights(config, 1);
        bool[] answers = [.. Enumerable.Range(0, Rows * Tokens).Select(i => i % 50 > 30)];
        (string What, int Rows, int[] Starts, bool[] Mask)[] cases =
        [
            ("plain rows", Rows, [], []),
            ("a loss mask", Rows, [], answers),
            ("documents", Rows, Few, []),
            ("plain rows after documents", Rows, [], []),
            ("many documents and a mask", Rows, Many, answers),
            ("documents in fewer rows", 2, [0, 5, 130], []),
            ("documents again", Rows, Few, answers),
        ];
        // One engine after the other: the fused engine's graphs go on using memory of libtorch's.
        List<(Dictionary<string, float[]> Gradients, float Loss)> expected, actual;
        using (var reference = Gpu.Reference(config, new OptimizerOptions(), weights)) expected = Run(reference);
        using (var engine = Gpu.Fused(config, new OptimizerOptions(), weights, Rows, Tokens, precision, wide, deterministic)) actual = Run(engine);

        // The reference engine in bf16 on these very batches: loss 0.0014 off at most, gradients 0.015 in the median, 0.025 at worst.
        var room = precision == Precision.Float8 ? 8 : 1;
        foreach (var (index, (what, _, _, _)) in cases.Index())
        {
            var measured = EngineState.Distances(actual[index].Gradients, expected[index].Gradients);
            Gpu.Tell($"{what}: loss {actual[index].Loss:f5}, float32 {expected[index].Loss:f5}; gradients' relative error: median {measured.Median:f4}, worst {measured.Worst:f4} ({measured.Name})");
            Assert.Equal(expected[index].Loss, actual[index].Loss, 0.01 * room);
            Assert.True(measured.Worst < 0.05 * room, $"{what}: {measured.Name} is {measured.Worst} off");
        }

        List<(Dictionary<string, float[]> Gradients, float Loss)> Run(ITrainingEngine engine)
        {
            var results = new List<(Dictionary<string, float[]>, float)>();
            foreach (var (_, rows, starts, mask) in cases)
            {
                var tokens = Text(rows);
                engine.Accumulate(new MicroBatch(tokens, rows) { DocumentStarts = starts, LossMask = mask.AsSpan(0, mask.Length == 0 ? 0 : tokens.Length) }, microBatches: 1);
                results.Add((EngineState.Read(engine, StateKind.Gradient), engine.Update(0).Loss));
            }
            return results;
        }
    }

    [Fact]
    public void Micro_batches_of_different_documents_add_up_in_one_step()
    {
        Gpu.Require();
        var weights = new RandomWeights(Config, 1);
        var tokens = Text(Rows);
        (Dictionary<string, float[]> Gradients, float Loss) expected, actual;
        using (var reference = Gpu.Reference(Config, new OptimizerOptions(), weights)) expected = Run(reference);
        using var engine = Gpu.Fused(Config, new OptimizerOptions(), weights, Rows, Tokens);
        actual = Run(engine);
        var measured = EngineState.Distances(actual.Gradients, expected.Gradients);
        Assert.True(measured.Worst < 0.05, $"{measured.Name} is {measured.Worst} off");
        Assert.Equal(expected.Loss, actual.Loss, 0.01);
        Assert.Equal(0, engine.Evaluate(new MicroBatch(tokens, Rows) { LossMask = new bool[tokens.Length] }));

        (Dictionary<string, float[]>, float) Run(ITrainingEngine either)
        {
            either.Accumulate(tokens, Rows, microBatches: 4);
            either.Accumulate(new MicroBatch(tokens, Rows) { DocumentStarts = Few }, microBatches: 4);
            either.Accumulate(new MicroBatch(tokens, Rows) { DocumentStarts = Many }, microBatches: 4); // the graphs are recorded anew within the step
            either.Accumulate(new MicroBatch(tokens, Rows) { LossMask = new bool[tokens.Length] }, microBatches: 4); // predicts nothing
            return (EngineState.Read(either, StateKind.Gradient), either.Update(0).Loss);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Deterministic_runs_agree_to_the_last_bit(bool wide)
    {
        Gpu.Require();
        Assert.Equal(Run(), Run());

        List<float> Run()
        {
            using var engine = Gpu.Fused(Config, new OptimizerOptions(), new RandomWeights(Config, 1), Rows, Tokens, wide: wide, deterministic: true);
            var seen = new List<float>();
            foreach (var starts in new int[][] { [], Few, Many, Few, [] })
            {
                engine.Accumulate(new MicroBatch(Text(Rows), Rows) { DocumentStarts = starts }, microBatches: 1);
                seen.Add(engine.Update(1e-3).Loss);
            }
            seen.AddRange(EngineState.Read(engine, StateKind.Weight).Values.SelectMany(values => values));
            return seen;
        }
    }

    /// <summary>Random tokens, a tenth of them padding.</summary>
    private static int[] Text(int rows)
    {
        var random = new Random(rows);
        return [.. Enumerable.Range(0, rows * Tokens).Select(_ => random.Next(10) == 0 ? 0 : random.Next(1, Config.VocabularySize))];
    }
}
