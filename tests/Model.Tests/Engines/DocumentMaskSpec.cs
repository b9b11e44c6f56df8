using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Engines;

public sealed class DocumentMaskSpec
{
    private const double Rounding = 1.0 / (1 << 23);
    private const int Rows = 2, Columns = 20;

    // In the first row documents of 7, 1 and 12 tokens, in the second of 15 and 5.
    private static readonly int[] Starts = [0, 7, 8, 20, 35];

    private static readonly int[] Tokens = TinyModels.Tokens(TinyModels.Config, Rows, Columns, seed: 3);

    private static ReferenceEngine Engine(MistralConfig config) =>
        new(config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(config, 1));

    /// <summary>Wide enough apart that attention is far from uniform, unlike in a model that is new.</summary>
    private static MistralConfig Config(int? window) => TinyModels.Config with { InitializerRange = 0.3, SlidingWindow = window };

    [Theory, InlineData(null), InlineData(4)]
    public void A_batch_of_documents_has_the_loss_and_gradients_of_each_alone(int? window)
    {
        using var packed = Engine(Config(window));
        using var alone = Engine(Config(window));
        packed.Accumulate(new MicroBatch(Tokens, Rows) { DocumentStarts = Starts }, microBatches: 1);
        var predicted = Tokens.Length - Starts.Length;
        double loss = 0;
        var sums = alone.Parameters.Select(parameter => new double[Count(parameter)]).ToArray();
        foreach (var document in Documents().Where(document => document.Length > 1))
        {
            var share = (document.Length - 1) / (double)predicted;
            loss += share * alone.Evaluate(document, rows: 1);
            alone.Accumulate(document, rows: 1, microBatches: 1);
            foreach (var (parameter, sum) in alone.Parameters.Zip(sums))
            {
                var gradient = Gradient(parameter);
                for (var i = 0; i < sum.Length; i++)
                    sum[i] += share * gradient[i];
            }
            alone.Update(0);
        }

        foreach (var (parameter, sum) in packed.Parameters.Zip(sums))
        {
            // Other positions, other rotations, sums in another order: some roundings of the largest gradient. Measured: up to 12.
            var error = Closeness.RelativeError(Gradient(parameter), [.. sum.Select(value => (float)value)]);
            Assert.True(error < 60 * Rounding, $"{parameter.Name}: relative error {error / Rounding} roundings");
        }
        Assert.Equal(loss, packed.Evaluate(new MicroBatch(Tokens, Rows) { DocumentStarts = Starts }), 60 * Rounding);
        Assert.NotEqual(loss, packed.Evaluate(Tokens, Rows), 1e-3); // without documents it is another one
    }

    [Fact]
    public void What_stands_in_one_document_does_not_change_what_is_learned_from_another()
    {
        using var engine = Engine(Config(window: null));
        bool[] last = [.. Enumerable.Range(0, Tokens.Length).Select(i => i >= 35)]; // the last document alone counts
        engine.Accumulate(new MicroBatch(Tokens, Rows) { DocumentStarts = Starts, LossMask = last }, microBatches: 1);
        var before = engine.Parameters.Select(Gradient).ToArray();
        engine.Update(0);
        int[] others = [.. Tokens.Select((token, i) => i < 35 ? 4 + (token + 5) % 100 : token)];

        engine.Accumulate(new MicroBatch(others, Rows) { DocumentStarts = Starts, LossMask = last }, microBatches: 1);

        foreach (var (parameter, expected) in engine.Parameters.Zip(before))
            Assert.Equal(expected, Gradient(parameter));
    }

    [Fact]
    public void Tokens_that_the_mask_leaves_out_are_read_but_not_predicted()
    {
        using var engine = Engine(Config(window: null));
        bool[] answer = [.. Enumerable.Range(0, Tokens.Length).Select(i => i % Columns >= 12)];
        var all = engine.Evaluate(Tokens, Rows);
        var counted = engine.Evaluate(new MicroBatch(Tokens, Rows) { LossMask = answer });
        var rest = engine.Evaluate(new MicroBatch(Tokens, Rows) { LossMask = [.. answer.Select(value => !value)] });

        Assert.Equal(all, (8 * counted + 11 * rest) / 19, 20 * Rounding); // of 19 predictions a row 8 count
        Assert.NotEqual(counted, rest, 1e-3);
    }

    [Fact]
    public void Where_nothing_is_predicted_nothing_is_added()
    {
        using var engine = Engine(Config(window: null));
        engine.Accumulate(Tokens, Rows, microBatches: 2);
        var before = engine.Parameters.Select(Gradient).ToArray();
        var nothing = new bool[Tokens.Length];

        engine.Accumulate(new MicroBatch(Tokens, Rows) { LossMask = nothing }, microBatches: 2);

        Assert.Equal(0, engine.Evaluate(new MicroBatch(Tokens, Rows) { LossMask = nothing }));
        foreach (var (parameter, expected) in engine.Parameters.Zip(before))
            Assert.Equal(expected, Gradient(parameter));
        Assert.True(float.IsFinite(engine.Update(1e-3).Loss));
    }

    private static IEnumerable<int[]> Documents() => Starts.Select((start, i) => Tokens[start..(i + 1 < Starts.Length ? Starts[i + 1] : Tokens.Length)]);

    private static int Count(IParameterState parameter) => parameter.Shape.Aggregate(1, (product, size) => product * (int)size);

    private static float[] Gradient(IParameterState parameter)
    {
        var values = new float[Count(parameter)];
        parameter.Read(StateKind.Gradient, values);
        return values;
    }
}
