using Streaming.Model.Fused;
using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Tests.Fused.Offload;

/// <summary>A model that stays in host memory, on lanes that run in random order within what the marks allow: whoever computes must find its weights.</summary>
public sealed unsafe class StreamedWeightsSpec : IDisposable
{
    private readonly HostMemory _memory = new(new NoLocking());

    public void Dispose() => _memory.Dispose();

    [Theory, InlineData(1, false), InlineData(1, true), InlineData(2, false), InlineData(3, true), InlineData(4, false), InlineData(9, false)]
    public void Every_layer_and_the_output_matrix_find_their_weights_in_both_passes(int layers, bool tied)
    {
        var layout = new ParameterLayout(FusedShape.From(TestShapes.Named("tiny").Model with { LayerCount = layers, TieWordEmbeddings = tied }));
        var home = _memory.Allocate(layout.Count * sizeof(ushort), "the model");
        for (var i = 0; i < layout.Count; i++) ((ushort*)home)[i] = (ushort)(i * 40503u >> 8);
        var low = _memory.Allocate(layout.Count * sizeof(short), "lower halves");
        for (var seed = 0; seed < 20; seed++)
        {
            var memory = new PlainMemory();
            using var device = new BenchDevice(memory);
            var lanes = new ShuffledLanes(device, seed);
            var frozen = new FrozenWeights(device, layout, halfPrecision: false, home);
            frozen.Upload(home, low, (target, source, bytes) => device.Upload<byte>(target, new ReadOnlySpan<byte>((void*)source, (int)bytes)));
            Assert.Equal(home, frozen.High(layout.Embedding));
            var weights = new StreamedWeights(lanes, layout, frozen, element => home + (nint)(element * sizeof(ushort)));
            var found = 0;
            for (var pass = 0; pass < 4; pass++)
            {
                var trains = pass != 1;
                weights.BeginForward(trains);
                Check(frozen.High(layout.Norms), layout.Norms, layout.Count - layout.Norms);
                for (var i = 0; i < layers; i++)
                {
                    weights.EnterForward(i);
                    CheckLayer(i);
                    weights.LeaveForward(i);
                }
                weights.EnterClassifier(trains);
                Check(frozen.ClassifierHigh, layout.Classifier, layout.ClassifierCount);
                weights.LeaveClassifier(trains);
                for (var i = layers - 1; trains && i >= 0; i--)
                {
                    weights.EnterBackward(i);
                    CheckLayer(i);
                    weights.LeaveBackward(i);
                }
                weights.End();
            }
            lanes.FinishAll();
            Assert.Equal(4 * (layers + 2) + 3 * layers, found);
            Assert.Equal(FrozenWeights.Predict(layout, halfPrecision: false, isStreamed: true), memory.AllocatedBytes);

            void CheckLayer(int layer) => Check(frozen.High(layout.LayersBegin + layer * layout.LayerCount), layout.LayersBegin + layer * layout.LayerCount, layout.LayerCount);

            void Check(nint address, long element, long count) => lanes.Do(Lane.Compute, () =>
            {
                var there = new ushort[count];
                device.Download<ushort>(there, address);
                Assert.Equal(new ReadOnlySpan<ushort>((ushort*)home + element, (int)count).ToArray(), there);
                found++;
            });
        }
    }
}
