using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

public sealed class SwiGluSpec
{
    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Forward_gates_the_upper_half(string device, string shape)
    {
        foreach (var kind in Values.Kinds)
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var (width, rows) = (bench.Shape.Intermediate, bench.Random.Next(1, 9));
            var (gateUp, gate, up) = GateAndUp(bench, rows, width, kind);

            Agreement.Rounded(bench.Half, $"output of {kind}", [.. gate.Zip(up, SwiGluReference.Forward)], Forward(bench, gateUp, rows));
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Backward_replaces_the_input_by_its_gradient_and_gives_the_output_again(string device, string shape)
    {
        foreach (var kind in Values.Kinds)
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            var (width, rows) = (bench.Shape.Intermediate, bench.Random.Next(1, 9));
            var (gateUp, gate, up) = GateAndUp(bench, rows, width, kind);
            var outputGradient = bench.DrawHalf(rows * width, kind);
            var gradient = bench.Upload(gateUp);
            var output = bench.Allocate<ushort>(rows * width);

            bench.LaunchThreads("swiglu_backward", rows * width / 8, gradient, output, bench.Upload(outputGradient), rows);

            var expected = new Expected[2 * rows * width];
            for (var i = 0; i < rows * width; i++)
            {
                var start = i / width * 2 * width + i % width;
                (expected[start], expected[start + width]) = SwiGluReference.Backward(gate[i], up[i], bench.Half.ToDouble(outputGradient[i]));
            }
            Agreement.Rounded(bench.Half, $"gradient of {kind}", expected, gradient.Download());
            Assert.Equal(Forward(bench, gateUp, rows), output.Download());
        }
    }

    [Fact]
    public void The_references_gradients_are_the_slopes_of_its_output()
    {
        var random = new Random(1);
        for (var i = 0; i < 200; i++)
        {
            double[] point = [3 * random.Draw(ValueKind.Normal), random.Draw(ValueKind.Normal)];
            var gradient = random.Draw(ValueKind.Normal);
            double Output(double[] input) => gradient * SwiGluReference.Forward(input[0], input[1]).Value;
            var (gate, up) = SwiGluReference.Backward(point[0], point[1], gradient);
            Assert.Equal(Slope.Of(Output, point, 0), gate.Value, Slope.Tolerance);
            Assert.Equal(Slope.Of(Output, point, 1), up.Value, Slope.Tolerance);
        }
    }

    private static ushort[] Forward(KernelBench bench, ushort[] gateUp, int rows)
    {
        var output = bench.Allocate<ushort>(gateUp.Length / 2);
        bench.LaunchThreads("swiglu_forward", output.Length / 8, output, bench.Upload(gateUp), rows);
        return output.Download();
    }

    /// <summary>Random rows of gate and up; every tenth gate is far out, up to 128 on either side.</summary>
    private static (ushort[] Packed, double[] Gate, double[] Up) GateAndUp(KernelBench bench, int rows, int width, ValueKind kind)
    {
        var packed = bench.DrawHalf(2 * rows * width, kind);
        var (gate, up) = (new double[rows * width], new double[rows * width]);
        for (var i = 0; i < gate.Length; i++)
        {
            var start = i / width * 2 * width + i % width;
            if (i % 10 == 0) packed[start] = bench.Half.Nearest(256 * bench.Random.NextDouble() - 128);
            (gate[i], up[i]) = (bench.Half.ToDouble(packed[start]), bench.Half.ToDouble(packed[start + width]));
        }
        return (packed, gate, up);
    }
}
