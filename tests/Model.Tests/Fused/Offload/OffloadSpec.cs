using Streaming.Model.Engines;
using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused.Offload;

/// <summary>Training state in host memory, beside the same on the device: what travels must be there in time, and nothing else may differ.</summary>
public sealed class OffloadSpec
{
    private const double Rate = 1e-3;

    private static readonly string[] Formats = ["emulator", "emulator, fp16"];

    public static MatrixTheoryData<string, OptimizerKind, OffloadLevel> Cases =>
        new(Formats, [OptimizerKind.AdamW, OptimizerKind.AdamW8Bit], [OffloadLevel.Optimizer, OffloadLevel.Parameters]);

    // Four layers, so that slots are used again; blocks of moments that neighbours share (keys have 640 elements); more pieces than slots.
    private static FusedShape Shape(bool tied, int layers = 4) => FusedShape.From(new MistralConfig
    {
        HiddenSize = 40,
        IntermediateSize = 24,
        LayerCount = layers,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 16,
        VocabularySize = 50,
        TieWordEmbeddings = tied,
    });

    [Theory, MemberData(nameof(Cases))]
    public void Whatever_is_fast_and_whatever_is_slow_each_step_is_that_of_state_on_the_device(string device, OptimizerKind kind, OffloadLevel level)
    {
        foreach (var (seed, tied, layers) in new[] { (1, false, 4), (2, true, 3), (3, false, 1), (4, true, 2) })
        {
            using var bench = new KernelBench(device);
            var shape = Shape(tied, layers);
            using var plain = new OffloadMachine(bench, shape, kind, OffloadLevel.None, 0);
            using var offloaded = new OffloadMachine(bench, shape, kind, level, seed);
            var weights = Draw(bench, plain, 0.02);
            plain.Fill(weights);
            offloaded.Fill(weights);
            for (var step = 1; step <= 3; step++)
            {
                // Above and below the clipping norm; sums of two powers of two are exact in any order.
                var gradients = Enumerable.Range(0, 2).Select(_ => Draw(bench, plain, step % 2 == 0 ? 1e-4 : 1)).ToArray();
                var current = plain.Parameters.Select(parameter => OffloadMachine.Read(parameter, StateKind.Weight)).ToArray();
                var expected = plain.Step(gradients, Rate, step, current);
                var actual = offloaded.Step(gradients, Rate, step, current);
                // Where layers are streamed the squares are summed layer by layer.
                Assert.Equal(expected.Norm, actual.Norm, level == OffloadLevel.Parameters ? 1e-5 * expected.Norm : 0);
                Assert.Equal((expected.Finite, expected.LossScale, expected.GoodSteps), (actual.Finite, actual.LossScale, actual.GoodSteps));
            }
            Same(plain, offloaded, level, $"seed {seed}");
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_gradient_that_overflows_changes_nothing_and_the_next_step_begins_from_zero(string device, OptimizerKind kind, OffloadLevel level)
    {
        using var bench = new KernelBench(device);
        using var machine = new OffloadMachine(bench, Shape(tied: false), kind, level, 7);
        var weights = Draw(bench, machine, 0.02);
        machine.Fill(weights);
        machine.Step([Draw(bench, machine, 1)], Rate, 1, weights);
        var before = machine.State();
        var current = machine.Parameters.Select(parameter => OffloadMachine.Read(parameter, StateKind.Weight)).ToArray();

        foreach (var place in new[] { 0, 5, machine.Parameters.Count - 1 })
        {
            var broken = Draw(bench, machine, 1);
            broken[place][0] = float.PositiveInfinity;
            Assert.Equal(0, machine.Step([broken], Rate, 2, current).Finite);
            Assert.Equal(before, machine.State());
        }

        Assert.All(machine.Parameters, parameter => Assert.All(OffloadMachine.Read(parameter, StateKind.Gradient), value => Assert.Equal(0, value)));
        Assert.Equal(1, machine.Step([Draw(bench, machine, 1)], Rate, 2, current).Finite);
    }

    [Theory, MemberData(nameof(Cases))]
    public void A_state_that_was_read_and_written_goes_on_to_the_bit_though_pieces_were_read_ahead(string device, OptimizerKind kind, OffloadLevel level)
    {
        using var bench = new KernelBench(device);
        using var first = new OffloadMachine(bench, Shape(tied: false), kind, level, 3);
        using var second = new OffloadMachine(bench, Shape(tied: false), kind, level, 4);
        var weights = Draw(bench, first, 0.02);
        foreach (var machine in new[] { first, second }) machine.Fill(weights);
        first.Step([Draw(bench, first, 1)], Rate, 1, weights);
        second.Step([Draw(bench, second, 1)], Rate, 1, weights); // something else, which is overwritten

        second.Restore(first.State());
        Assert.Equal(first.State(), second.State());

        for (var step = 2; step <= 3; step++)
        {
            var current = first.Parameters.Select(parameter => OffloadMachine.Read(parameter, StateKind.Weight)).ToArray();
            var gradient = Draw(bench, first, 1);
            Assert.Equal(first.Step([gradient], Rate, step, current), second.Step([gradient], Rate, step, current));
        }
        Assert.Equal(first.State(), second.State());
    }

    [Theory, InlineData(OffloadLevel.Optimizer), InlineData(OffloadLevel.Parameters)]
    public void The_gradient_can_be_read_between_micro_batches_and_is_zero_after_a_step(OffloadLevel level)
    {
        using var bench = new KernelBench("emulator");
        using var machine = new OffloadMachine(bench, Shape(tied: false), OptimizerKind.AdamW, level, 1);
        var weights = Draw(bench, machine, 0.02);
        machine.Fill(weights);
        machine.Step([Draw(bench, machine, 1)], Rate, 1, weights);
        Assert.All(machine.Parameters, parameter => Assert.All(OffloadMachine.Read(parameter, StateKind.Gradient), value => Assert.Equal(0, value)));

        var current = machine.Parameters.Select(parameter => OffloadMachine.Read(parameter, StateKind.Weight)).ToArray();
        var gradients = new[] { Draw(bench, machine, 1), Draw(bench, machine, 1) };
        foreach (var gradient in gradients) machine.Accumulate(gradient, current);
        machine.Lanes.FinishAll();
        for (var i = 0; i < gradients[0].Length; i++)
            Assert.Equal(gradients[0][i].Zip(gradients[1][i], (a, b) => a + b), OffloadMachine.Read(machine.Parameters[i], StateKind.Gradient));
    }

    [Theory]
    [InlineData(OptimizerKind.AdamW, OffloadLevel.Optimizer, true)]
    [InlineData(OptimizerKind.AdamW8Bit, OffloadLevel.Parameters, true)]
    [InlineData(OptimizerKind.AdamW8Bit, OffloadLevel.Optimizer, false)]
    public async Task A_snapshot_is_the_state_of_its_step_whatever_comes_after(OptimizerKind kind, OffloadLevel level, bool hasRoom)
    {
        using var bench = new KernelBench("emulator");
        using var machine = new OffloadMachine(bench, Shape(tied: false), kind, level, 5);
        var weights = Draw(bench, machine, 0.02);
        machine.Fill(weights);
        machine.Step([Draw(bench, machine, 1)], Rate, 1, weights);
        var expected = machine.State();
        var current = machine.Parameters.Select(parameter => OffloadMachine.Read(parameter, StateKind.Weight)).ToArray();

        var snapshot = machine.NewSnapshot(hasRoom ? long.MaxValue : 0);
        snapshot.Hold(); // the run's, beside the engine's
        snapshot.Begin(1, null);
        snapshot.Wait(); // the lanes of this machine are one thread's
        snapshot.Hold(); // the writer's
        var settled = Task.Run(snapshot.Settle, TestContext.Current.CancellationToken);
        if (hasRoom)
        {
            await settled;
            machine.Step([Draw(bench, machine, 1)], Rate, 2, current);
            machine.Lanes.FinishAll();
            Assert.NotEqual(expected, machine.State());
        }
        else Assert.NotSame(settled, await Task.WhenAny(settled, Task.Delay(50, TestContext.Current.CancellationToken))); // no update while the writer reads

        foreach (var parameter in snapshot.Parameters)
            foreach (var state in new[] { StateKind.Weight, StateKind.FirstMoment, StateKind.SecondMoment })
            {
                var values = new float[parameter.Count];
                parameter.Read(state, values);
                Assert.Equal(expected[(parameter.Name, state)], values);
            }
        Assert.Equal(1, snapshot.OptimizerStep);
        snapshot.Release();
        await settled.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        snapshot.Release();
        snapshot.Release();
    }

    [Theory]
    [InlineData(3)]
    [InlineData(6)]
    public void State_comes_in_ahead_of_the_next_step_and_goes_out_behind_the_last(int slots)
    {
        using var bench = new KernelBench("emulator");
        using var machine = new OffloadMachine(bench, Shape(tied: false), OptimizerKind.AdamW, OffloadLevel.Optimizer, 1, slots);
        var weights = Draw(bench, machine, 0.02);
        machine.Fill(weights);
        machine.Step([Draw(bench, machine, 1)], Rate, 1, weights);
        machine.Lanes.FinishAll();
        var pieces = machine.Lanes.Done.Count(work => work == "Update: update");
        Assert.True(pieces > 6, $"{pieces} pieces");
        Assert.Equal(pieces + slots, machine.Lanes.Done.Count(work => work == "In: state in"));
        Assert.Equal(pieces, machine.Lanes.Done.Count(work => work == "Out: state out"));
    }

    private static float[][] Draw(KernelBench bench, OffloadMachine machine, double scale) =>
        [.. machine.Parameters.Select(parameter => bench.Random.DrawFloats((int)parameter.Shape.Aggregate(1L, (product, size) => product * size), ValueKind.Normal)
            .Select(value => (float)(scale * value)).ToArray())];

    private static void Same(OffloadMachine expected, OffloadMachine actual, OffloadLevel level, string what)
    {
        var state = actual.State();
        foreach (var (key, values) in expected.State())
        {
            if (level == OffloadLevel.Optimizer) Assert.True(values.AsSpan().SequenceEqual(state[key]), $"{what}: {key}");
            // The norm's last bit moves what is clipped; codes of 8 bits may fall on the other side.
            else
            {
                var distance = Math.Sqrt(values.Zip(state[key], (a, b) => (a - (double)b) * (a - b)).Sum() / Math.Max(1e-30, values.Sum(a => (double)a * a)));
                Assert.True(distance < 2e-3, $"{what}: {key} is {distance:g3} away");
            }
        }
    }
}
