using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

/// <summary>The kernels that round to 8 bits: what they round, what magnitude they record, and that the rest is as without it.</summary>
public sealed class EightBitSpec
{
    private const float Epsilon = 1e-5f;

    // The first scale suits values near one; the second makes some of them too large. The record begins below and above what comes.
    private static readonly Scaling[] Before = [Scaling.Of(16), Scaling.Of(3000, largest: 1e30f)];

    [Theory, MemberData(nameof(KernelDevices.EachWithShapes), MemberType = typeof(KernelDevices))]
    public void Norm_forward(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        var (hidden, rows) = (bench.Shape.Hidden, bench.Shape.RowsPerBlock + 1);
        var x = bench.Random.DrawBf16(rows * hidden, ValueKind.Normal);
        var weight = bench.Random.DrawFloats(hidden, ValueKind.Normal);
        var (high, low) = Halves.Of(weight);
        Expected[] expected = [.. Enumerable.Range(0, rows).SelectMany(row => RmsNormReference.Forward(Row(x, row, hidden), weight, Epsilon))];
        foreach (var before in Before)
        {
            var (y, scaling) = (bench.Allocate<byte>(rows * hidden), bench.Upload([before]));
            bench.Launch("rms_norm_forward_e4m3", 2, FusedShape.RowBlock, y, scaling, bench.Upload(x), bench.Upload(high), bench.Upload(low), rows, Epsilon);
            Float8.E4M3.Agrees("y", expected, before.Scale, y.Download());
            scaling.Download()[0].Recorded(before, expected);
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachWithShapes), MemberType = typeof(KernelDevices))]
    public void Norm_backward(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        const int blocks = 2;
        var (hidden, rows) = (bench.Shape.Hidden, 2 * bench.Shape.RowsPerBlock + 3);
        var (x, gradient, residual) = (bench.Random.DrawBf16(rows * hidden, ValueKind.Normal), bench.Random.DrawBf16(rows * hidden, ValueKind.Normal), bench.Random.DrawBf16(rows * hidden, ValueKind.Normal));
        var weight = bench.Random.DrawFloats(hidden, ValueKind.Normal);
        var (high, low) = (bench.Upload(Halves.Of(weight).High), bench.Upload(Halves.Of(weight).Low));
        var (deviceX, deviceGradient) = (bench.Upload(x), bench.Upload(gradient));
        Expected[] expected = [.. Enumerable.Range(0, rows).SelectMany(row => RmsNormReference.Backward(Row(x, row, hidden), Row(gradient, row, hidden), weight, Epsilon))];
        for (var i = 0; i < expected.Length; i++)
        {
            var (old, change) = (Bf16.ToDouble(residual[i]), expected[i]);
            expected[i] = new(old + change.Value, change.Slack + 2 * Expected.Unit * (Math.Abs(old) + Math.Abs(change.Value)));
        }

        DeviceArray<ushort> Outputs(bool written) => written ? bench.Upload(residual) : bench.Allocate<ushort>(rows * hidden);
        var (plain, plainY, plainPartials) = (Outputs(true), Outputs(false), bench.Allocate<float>(blocks * hidden));
        bench.Launch("rms_norm_backward", blocks, FusedShape.RowBlock, plain, plainY, plainPartials, deviceX, deviceGradient, high, low, rows, Epsilon, 1);
        foreach (var before in Before)
        {
            var (result, y, partials) = (Outputs(true), Outputs(false), bench.Allocate<float>(blocks * hidden));
            var (rounded, scaling) = (bench.Allocate<byte>(rows * hidden), bench.Upload([before]));
            bench.Launch("rms_norm_backward_e5m2", blocks, FusedShape.RowBlock, result, rounded, scaling, y, partials, deviceX, deviceGradient, high, low, rows, Epsilon, 1);
            Float8.E5M2.Agrees("gradient", expected, before.Scale, rounded.Download());
            scaling.Download()[0].Recorded(before, expected);
            Assert.Equal(plain.Download(), result.Download());
            Assert.Equal(plainY.Download(), y.Download());
            Assert.Equal(plainPartials.Download(), partials.Download());
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachWithShapes), MemberType = typeof(KernelDevices))]
    public void SwiGlu_forward_and_backward(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        var (width, rows) = (bench.Shape.Intermediate, 3);
        var (gateUp, gradient) = (bench.Random.DrawBf16(rows * 2 * width, ValueKind.Normal), bench.Random.DrawBf16(rows * width, ValueKind.Normal));
        var (outputs, gradients) = (new Expected[rows * width], new Expected[rows * 2 * width]);
        for (var i = 0; i < outputs.Length; i++)
        {
            var start = i / width * 2 * width + i % width;
            var (gate, up) = (Bf16.ToDouble(gateUp[start]), Bf16.ToDouble(gateUp[start + width]));
            outputs[i] = SwiGluReference.Forward(gate, up);
            (gradients[start], gradients[start + width]) = SwiGluReference.Backward(gate, up, Bf16.ToDouble(gradient[i]));
        }
        var (threads, deviceGradient) = (rows * width / 8, bench.Upload(gradient));
        var (plain, plainOutput) = (bench.Upload(gateUp), bench.Allocate<ushort>(rows * width));
        bench.LaunchThreads("swiglu_backward", threads, plain, plainOutput, deviceGradient, rows);
        foreach (var before in Before)
        {
            var (output8, scaling) = (bench.Allocate<byte>(rows * width), bench.Upload([before]));
            bench.LaunchThreads("swiglu_forward_e4m3", threads, output8, scaling, bench.Upload(gateUp), rows);
            Float8.E4M3.Agrees("output", outputs, before.Scale, output8.Download());
            scaling.Download()[0].Recorded(before, outputs);

            var (result, output, rounded) = (bench.Upload(gateUp), bench.Allocate<ushort>(rows * width), bench.Allocate<byte>(rows * 2 * width));
            scaling = bench.Upload([before]);
            bench.LaunchThreads("swiglu_backward_e5m2", threads, result, rounded, scaling, output, deviceGradient, rows);
            Float8.E5M2.Agrees("gradient", gradients, before.Scale, rounded.Download());
            scaling.Download()[0].Recorded(before, gradients);
            Assert.Equal(plain.Download(), result.Download());
            Assert.Equal(plainOutput.Download(), output.Download());
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachWithShapes), MemberType = typeof(KernelDevices))]
    public void Rotary_backward(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        const int rows = 6, tokens = 3;
        var model = bench.Shape;
        var (cosine, sine) = RotaryReference.Angles(tokens, model.HeadSize, model.Model.RopeTheta);
        var (angles, slopes) = (bench.Upload(cosine), bench.Upload(sine));
        var (query, key, value) = (Draw(model.QueryWidth), Draw(model.KeyValueWidth), Draw(model.KeyValueWidth));
        DeviceArray<ushort> Draw(int width) => bench.Upload(bench.Random.DrawBf16(rows * width, ValueKind.Normal));

        var (size, threads) = (rows * model.PackedWidth, rows * model.PackedWidth / 16);
        var plain = bench.Allocate<ushort>(size);
        bench.LaunchThreads("rotary_backward", threads, plain, query, key, value, angles, slopes, rows, tokens);
        Expected[] expected = [.. Bf16.ToDoubles(plain.Download()).Select(value => (Expected)value)]; // 8 bits are made of the 16, exactly
        foreach (var before in Before)
        {
            var (result, rounded, scaling) = (bench.Allocate<ushort>(size), bench.Allocate<byte>(size), bench.Upload([before]));
            bench.LaunchThreads("rotary_backward_e5m2", threads, result, rounded, scaling, query, key, value, angles, slopes, rows, tokens);
            Float8.E5M2.Agrees("gradient", expected, before.Scale, rounded.Download());
            scaling.Download()[0].Recorded(before, expected);
            Assert.Equal(plain.Download(), result.Download());
        }
    }

    private static double[] Row(ushort[] values, int row, int width) => Bf16.ToDoubles(values.AsSpan(row * width, width));
}
