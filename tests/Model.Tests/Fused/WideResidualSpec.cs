using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

/// <summary>The kernels of a float32 residual stream.</summary>
public sealed class WideResidualSpec
{
    private const float Epsilon = 1e-5f;

    private static readonly Scaling[] Before = [Scaling.Of(16), Scaling.Of(3000, largest: 1e30f)];

    [Theory, MemberData(nameof(KernelDevices.EachWithShapes), MemberType = typeof(KernelDevices))]
    public void Forward_adds_the_branch_in_float32_and_norms_the_sum(string device, string shape)
    {
        foreach (var (kind, adds) in Values.Kinds.Select((kind, i) => (kind, i % 2 == 0)).Append((ValueKind.Normal, false)))
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var (hidden, rows) = (bench.Shape.Hidden, bench.Random.Next(1, 2 * bench.Shape.RowsPerBlock + 3));
            var stream = bench.Random.DrawFloats(rows * hidden, kind);
            var branch = bench.Random.DrawBf16(rows * hidden, kind);
            var weight = Weight(bench);
            var run = new ForwardRun(bench, stream, adds ? branch : null, weight, rows);

            // One addition of float32 values: the same to the bit everywhere.
            float[] sums = [.. stream.Zip(branch, (x, b) => adds ? x + (float)Bf16.ToDouble(b) : x)];
            Assert.Equal(sums, run.Stream);
            var expected = PerRow(rows, hidden, row => RmsNormReference.Forward(Wide(sums, row, hidden), weight, Epsilon));
            Agreement.Rounded($"y of {kind}", expected, run.Output.Download());
            for (var row = 0; row < rows; row++)
            {
                var scale = RmsNormReference.Scale(Wide(sums, row, hidden), Epsilon);
                Agreement.Near($"scale of {kind}", new Expected(scale, 64 * Expected.Unit * scale), run.Scales.Download()[row]);
            }

            foreach (var before in Before)
            {
                var eight = new ForwardRun(bench, stream, adds ? branch : null, weight, rows, before);
                Assert.Equal(run.Stream, eight.Stream);
                Assert.Equal(run.Output.Download(), eight.Output.Download());
                Assert.Equal(run.Scales.Download(), eight.Scales.Download());
                Float8.E4M3.Agrees("y", expected, before.Scale, eight.Rounded.Download());
                eight.Scaling.Download()[0].Recorded(before, expected);
            }
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachWithShapes), MemberType = typeof(KernelDevices))]
    public void Backward_finds_the_gradients_from_the_output_alone(string device, string shape)
    {
        foreach (var (kind, add, blocks) in new[] { (ValueKind.Normal, 0, 3), (ValueKind.Normal, 1, 1), (ValueKind.Large, 1, 2), (ValueKind.Zero, 1, 2), (ValueKind.Mixed, 1, 5) })
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var (hidden, rows) = (bench.Shape.Hidden, bench.Random.Next(1, 2 * bench.Shape.RowsPerBlock + 6));
            var stream = bench.Random.DrawFloats(rows * hidden, kind);
            var weight = Weight(bench);
            weight[hidden / 2] = 0; // hides what it multiplied
            var forward = new ForwardRun(bench, stream, null, weight, rows);
            var gradient = bench.Random.DrawBf16(rows * hidden, kind);
            var residual = bench.Random.DrawFloats(rows * hidden, kind);
            var initial = bench.Random.DrawFloats(hidden, kind);
            var (result, rest) = Uploaded(residual);
            var partials = bench.Allocate<float>(blocks * hidden);
            var weightGradient = bench.Upload(initial);
            var (high, low) = Halves.Of(weight);
            var (deviceHigh, deviceLow, deviceGradient) = (bench.Upload(high), bench.Upload(low), bench.Upload(gradient));

            bench.Launch("rms_norm_backward_wide", blocks, FusedShape.RowBlock, result, rest, partials, forward.Output, forward.Scales,
                deviceGradient, deviceHigh, deviceLow, rows, add);
            bench.Launch("rms_norm_weight_gradient", (hidden + 31) / 32, new Extent(32, 8), weightGradient, partials, blocks);

            // From what the kernel reads: the rounded output, and the scale as the forward kernel wrote it.
            var (scales, outputs, terms) = (forward.Scales.Download(), Bf16.ToDoubles(forward.Output.Download()), rows + 2 + blocks);
            var expected = new Expected[rows * hidden];
            var sums = initial.Select(value => new Expected(value, terms * Expected.Unit * Math.Abs(value))).ToArray();
            for (var row = 0; row < rows; row++)
            {
                double mean = 0, magnitude = 0;
                for (var i = 0; i < hidden; i++)
                {
                    var product = Bf16.ToDouble(gradient[row * hidden + i]) * outputs[row * hidden + i];
                    (mean, magnitude) = (mean + product / hidden, magnitude + Math.Abs(product) / hidden);
                }
                for (var i = 0; i < hidden; i++)
                {
                    var (at, g) = (row * hidden + i, Bf16.ToDouble(gradient[row * hidden + i]));
                    var normed = weight[i] == 0 ? 0 : outputs[at] / weight[i];
                    var (direct, pull) = (scales[row] * g * weight[i], scales[row] * normed);
                    var before = add == 1 ? residual[at] : 0;
                    var value = before + direct - pull * mean;
                    // A sum over a row (see RmsNormReference), some products, and the addition to what was there.
                    expected[at] = new(value, 64 * Expected.Unit * (Math.Abs(direct) + Math.Abs(pull) * magnitude) + 2 * Expected.Unit * (Math.Abs(before) + Math.Abs(value)));
                    sums[i] = new(sums[i].Value + g * normed, sums[i].Slack + (4 + terms) * Expected.Unit * Math.Abs(g * normed));
                }
            }
            var joined = Halves.Join(result.Download(), rest.Download());
            Agreement.Near($"gradient of {kind} input", expected, joined);
            Assert.Equal([.. joined.Select(value => MasterWeight.Split(value).High)], result.Download()); // what the products read is the nearest
            Agreement.Near($"gradient of the weight for {kind} input", sums, weightGradient.Download());

            foreach (var scaling in Before)
            {
                var ((again, againRest), againPartials) = (Uploaded(residual), bench.Allocate<float>(blocks * hidden));
                var (rounded, deviceScaling) = (bench.Allocate<byte>(rows * hidden), bench.Upload([scaling]));
                bench.Launch("rms_norm_backward_wide_e5m2", blocks, FusedShape.RowBlock, again, againRest, rounded, deviceScaling, againPartials,
                    forward.Output, forward.Scales, deviceGradient, deviceHigh, deviceLow, rows, add);
                Assert.Equal(result.Download(), again.Download());
                Assert.Equal(rest.Download(), againRest.Download());
                Assert.Equal(partials.Download(), againPartials.Download());
                Float8.E5M2.Agrees("gradient", expected, scaling.Scale, rounded.Download());
                deviceScaling.Download()[0].Recorded(scaling, expected);
            }

            (DeviceArray<ushort>, DeviceArray<short>) Uploaded(float[] values) =>
                (bench.Upload(Halves.Of(values).High), bench.Upload(Halves.Of(values).Low));
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFloat16), MemberType = typeof(KernelDevices))]
    public void In_fp16_the_stream_is_as_wide_and_its_gradient_has_22_bits(string device)
    {
        using var bench = new KernelBench(device);
        var (hidden, rows) = (bench.Shape.Hidden, 2 * bench.Shape.RowsPerBlock + 1);
        var (stream, branch, weight) = (bench.Random.DrawFloats(rows * hidden, ValueKind.Normal), bench.DrawHalf(rows * hidden, ValueKind.Normal), Weight(bench));
        var (streamHigh, streamLow) = (bench.Upload(Planes.High(stream)), bench.Upload(Planes.Low(stream)));
        var (y, scales) = (bench.Allocate<ushort>(rows * hidden), bench.Allocate<float>(rows));
        var (high, low) = bench.UploadMasters(weight);
        bench.Launch("rms_norm_forward_wide", 3, FusedShape.RowBlock, y, scales, streamHigh, streamLow, bench.Upload(branch), high, low, rows, Epsilon);
        float[] sums = [.. stream.Zip(branch, (x, b) => x + (float)bench.Half.ToDouble(b))];
        Assert.Equal(sums, Planes.Join(streamHigh.Download(), streamLow.Download()));
        Agreement.Rounded(bench.Half, "y", PerRow(rows, hidden, row => RmsNormReference.Forward(Wide(sums, row, hidden), weight, Epsilon)), y.Download());

        ushort Rounded(float value) => bench.Half.Nearest(value);
        ushort Rest(float value) => bench.Half.Nearest(value - bench.Half.ToDouble(Rounded(value)));
        float Joined(ushort rounded, ushort rest) => (float)(bench.Half.ToDouble(rounded) + bench.Half.ToDouble(rest));
        var (residual, gradient) = (bench.Random.DrawFloats(rows * hidden, ValueKind.Normal), bench.DrawHalf(rows * hidden, ValueKind.Normal));
        var (result, rest) = (bench.Upload([.. residual.Select(Rounded)]), bench.Upload([.. residual.Select(Rest)]));
        bench.Launch("rms_norm_backward_wide", 2, FusedShape.RowBlock, result, rest, bench.Allocate<float>(2 * hidden), y, scales, bench.Upload(gradient), high, low, rows, 1);

        var expected = new Expected[rows * hidden];
        var (outputs, inverse) = (bench.Half.ToDoubles(y.Download()), scales.Download());
        for (var i = 0; i < expected.Length; i++)
        {
            var (row, column) = (i / hidden, i % hidden);
            var mean = Enumerable.Range(row * hidden, hidden).Average(k => bench.Half.ToDouble(gradient[k]) * outputs[k]);
            var change = inverse[row] * (bench.Half.ToDouble(gradient[i]) * weight[column] - outputs[i] / weight[column] * mean);
            var value = Joined(Rounded(residual[i]), Rest(residual[i])) + change;
            // Two roundings to 11 bits each leave 2^-22 of the value, or half of fp16's smallest step, 2^-25.
            expected[i] = new(value, 1e-5 * (1 + Math.Abs(change)) / 4 + Math.Abs(value) / (1 << 22) + 1.0 / (1 << 25));
        }
        var (downloaded, remainder) = (result.Download(), rest.Download());
        Agreement.Near("gradient", expected, [.. downloaded.Zip(remainder, Joined)]);
        // What the products read is the nearest: the rest is half a unit in its last place at most.
        Assert.All(downloaded.Zip(remainder), pair =>
            Assert.True(Math.Abs(bench.Half.ToDouble(pair.Second)) <= Math.Abs(bench.Half.ToDouble(pair.First)) * bench.Half.Epsilon + 1.0 / (1 << 25)));
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void A_gradient_that_is_no_number_is_none_in_what_the_products_read(string device)
    {
        using var bench = new KernelBench(device);
        var hidden = bench.Shape.Hidden;
        var forward = new ForwardRun(bench, bench.Random.DrawFloats(hidden, ValueKind.Normal), null, Weight(bench), rows: 1);
        var gradient = bench.Random.DrawBf16(hidden, ValueKind.Normal);
        gradient[3] = Bf16.NaN;
        var (result, rest) = (bench.Allocate<ushort>(hidden), bench.Allocate<short>(hidden));
        var (high, low) = Halves.Of(Weight(bench));

        bench.Launch("rms_norm_backward_wide", 1, FusedShape.RowBlock, result, rest, bench.Allocate<float>(hidden), forward.Output, forward.Scales,
            bench.Upload(gradient), bench.Upload(high), bench.Upload(low), 1, 0);

        Assert.All(result.Download(), value => Assert.True(double.IsNaN(Bf16.ToDouble(value)))); // the mean over the row is none
    }

    [Theory, MemberData(nameof(KernelDevices.EachWithShapes), MemberType = typeof(KernelDevices))]
    public void The_embedding_is_read_and_its_gradient_summed_in_float32(string device, string shape)
    {
        const int vocabulary = 23, positions = 100;
        using var bench = new KernelBench(device, shape);
        var hidden = bench.Shape.Hidden;
        var table = bench.Random.DrawFloats(vocabulary * hidden, ValueKind.Mixed);
        var (high, low) = Halves.Of(table);
        var tokens = Enumerable.Range(0, positions).Select(i => i % 2 == 0 ? 1 : bench.Random.Next(vocabulary)).ToArray();
        var (streamHigh, streamLow) = (bench.Allocate<ushort>(positions * hidden), bench.Allocate<ushort>(positions * hidden));

        bench.LaunchThreads("embedding_forward_wide", positions * hidden / 8, streamHigh, streamLow, bench.Upload(tokens), bench.Upload(high), bench.Upload(low), positions);

        Assert.Equal(tokens.SelectMany(token => table.AsSpan(token * hidden, hidden).ToArray()), Planes.Join(streamHigh.Download(), streamLow.Download()));

        var plan = new EmbeddingPlan(vocabulary, positions);
        plan.Build(tokens);
        var gradient = bench.Random.DrawFloats(positions * hidden, ValueKind.Mixed);
        var (rounded, rest) = Halves.Of(gradient);
        var initial = bench.Random.DrawFloats(vocabulary * hidden, ValueKind.Mixed);
        var (sum, partials, counts) = (bench.Upload(initial), bench.Allocate<float>(plan.Slots * hidden), bench.Upload(plan.Counts));
        bench.Launch("embedding_backward_wide", 7, 128, sum, partials, bench.Upload(rounded), bench.Upload(rest), bench.Upload(plan.Order),
            bench.Upload(plan.Begin), bench.Upload(plan.Token), bench.Upload(plan.Slot), counts);
        bench.Launch("embedding_backward_join", 7, 128, sum, partials, bench.Upload(plan.JoinBegin), bench.Upload(plan.JoinToken), counts);

        Agreement.Near("gradient", EmbeddingReference.Backward(initial, [.. gradient.Select(value => (double)value)], tokens, hidden), sum.Download());
    }

    /// <summary>A forward launch and what it wrote.</summary>
    private sealed class ForwardRun
    {
        private readonly DeviceArray<ushort> _high, _low;

        public ForwardRun(KernelBench bench, float[] stream, ushort[]? branch, float[] weight, int rows, Scaling? before = null)
        {
            var (high, low) = Halves.Of(weight);
            (_high, _low) = (bench.Upload(Planes.High(stream)), bench.Upload(Planes.Low(stream)));
            (Output, Scales, Rounded) = (bench.Allocate<ushort>(stream.Length), bench.Allocate<float>(rows), bench.Allocate<byte>(stream.Length));
            Scaling = bench.Upload([before ?? default]);
            KernelArgument added = branch is null ? (nint)0 : bench.Upload(branch);
            var blocks = (rows + bench.Shape.RowsPerBlock - 1) / bench.Shape.RowsPerBlock;
            if (before is null)
                bench.Launch("rms_norm_forward_wide", blocks, FusedShape.RowBlock, Output, Scales, _high, _low, added, bench.Upload(high),
                    bench.Upload(low), rows, Epsilon);
            else
                bench.Launch("rms_norm_forward_wide_e4m3", blocks, FusedShape.RowBlock, Output, Rounded, Scaling, Scales, _high, _low, added,
                    bench.Upload(high), bench.Upload(low), rows, Epsilon);
        }

        public DeviceArray<ushort> Output { get; }
        public DeviceArray<byte> Rounded { get; }
        public DeviceArray<Scaling> Scaling { get; }
        public DeviceArray<float> Scales { get; }
        public float[] Stream => Planes.Join(_high.Download(), _low.Download());
    }

    /// <summary>Float32 values as their upper and lower 16 bits.</summary>
    private static class Planes
    {
        public static ushort[] High(float[] values) => [.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16))];

        public static ushort[] Low(float[] values) => [.. values.Select(value => (ushort)BitConverter.SingleToUInt32Bits(value))];

        public static float[] Join(ushort[] high, ushort[] low) => [.. high.Zip(low, (h, l) => BitConverter.UInt32BitsToSingle((uint)h << 16 | l))];
    }

    private static float[] Weight(KernelBench bench) => [.. bench.Random.DrawFloats(bench.Shape.Hidden, ValueKind.Normal).Select(value => 1 + 0.3f * value)];

    private static double[] Wide(float[] values, int row, int hidden) => [.. values.AsSpan(row * hidden, hidden).ToArray().Select(value => (double)value)];

    private static Expected[] PerRow(int rows, int hidden, Func<int, Expected[]> reference) => [.. Enumerable.Range(0, rows).SelectMany(reference)];
}
