using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Tests.Fused.Offload;

/// <summary>What layers keep, on lanes that run in random order within what the marks allow: each layer must find its own again.</summary>
public sealed unsafe class StreamedActivationsSpec : IDisposable
{
    private const int Positions = 2;

    private readonly HostMemory _memory = new(new NoLocking());

    public void Dispose() => _memory.Dispose();

    [Theory, InlineData(1, false), InlineData(2, true), InlineData(3, false), InlineData(4, true), InlineData(5, false), InlineData(12, true), InlineData(12, false)]
    public void Every_layer_finds_in_the_backward_pass_what_it_kept(int layers, bool wide)
    {
        var shape = FusedShape.From(TestShapes.Named("tiny").Model with { LayerCount = layers });
        var plan = new ActivationPlan(shape, Positions, 1, 1, 1, wideResidual: wide, recompute: Recomputation.Host);
        Assert.Equal(Math.Min(layers, StreamedActivations.Slots), plan.Middle.Distinct().Count());
        Assert.DoesNotContain(plan.Residual[layers], plan.Residual[..layers]);
        for (var seed = 0; seed < 30; seed++)
        {
            using var device = new BenchDevice(new PlainMemory());
            var lanes = new ShuffledLanes(device, seed);
            var arena = device.Allocate(plan.Bytes, "arena");
            var host = _memory.Allocate(StreamedActivations.HostBytes(plan, layers), "host");
            var activations = new StreamedActivations(new AllResident(), lanes, plan, arena, host, layers);
            var found = 0;
            for (var batch = 1; batch <= 3; batch++)
            {
                var value = (byte)(batch * 64);
                activations.BeginForward(backward: batch != 2);
                Write(plan.Residual[0], value);
                for (var i = 0; i < layers; i++)
                {
                    activations.EnterForward(i);
                    // A wide stream's layer writes what its norm puts out as it begins; otherwise the layer before has written its input.
                    var layer = (byte)(value + i);
                    if (wide) Write(plan.Residual[i], layer);
                    Write(plan.Middle[i], (byte)(layer + 32));
                    if (!wide) Write(plan.Residual[i + 1], (byte)(layer + 1));
                    activations.LeaveForward(i);
                }
                activations.EnterClassifier(backward: batch != 2);
                activations.LeaveClassifier(backward: batch != 2);
                if (batch != 2)
                {
                    for (var i = layers - 1; i >= 0; i--)
                    {
                        activations.EnterBackward(i);
                        Check(plan.Residual[i], (byte)(value + i));
                        Check(plan.Middle[i], (byte)(value + i + 32));
                        activations.LeaveBackward(i);
                    }
                    activations.EnterEmbeddingBackward();
                }
                activations.End();
            }
            lanes.FinishAll();
            Assert.Equal(4 * layers, found);

            void Write(long offset, byte value) => lanes.Do(Lane.Compute, () =>
            {
                var bytes = new byte[plan.KeptBytes];
                Array.Fill(bytes, value);
                device.Upload<byte>(arena + (nint)offset, bytes);
            });

            void Check(long offset, byte value) => lanes.Do(Lane.Compute, () =>
            {
                var bytes = new byte[plan.KeptBytes];
                device.Download<byte>(bytes, arena + (nint)offset);
                Assert.All(bytes, actual => Assert.Equal(value, actual));
                found++;
            });
        }
    }
}
