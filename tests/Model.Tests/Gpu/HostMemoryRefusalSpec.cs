using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;
using Streaming.Model.Parameters;
using Streaming.Model.Tests.Fused;

namespace Streaming.Model.Tests.Gpu;

/// <summary>Page-locking that the driver refuses, while an engine is built; needs a GPU and is skipped without.</summary>
[Collection(GpuCollection.Name)]
public sealed class HostMemoryRefusalSpec
{
    private const string Sentence = @"^[0-9.]+ GiB of host memory could not be page-locked for the GPU \(CUDA_ERROR_[A-Z_]+; ulimit -l allows (any amount|[0-9]+ KiB), [0-9.]+ GiB are free\): raise the limit \(LimitMEMLOCK=infinity in a systemd unit, --ulimit memlock=-1 for a container\), or set training\.offload to a lower level$";

    private static readonly MistralConfig Config = TestShapes.Named("recipe").Model with { LayerCount = 1, VocabularySize = 512 };

    [Theory, InlineData(OffloadLevel.Optimizer), InlineData(OffloadLevel.Parameters)]
    public void An_allocation_that_the_driver_refuses_is_one_sentence_and_gives_everything_back(OffloadLevel level)
    {
        Gpu.Require();
        using var device = new CudaDevice(0);
        var locking = new CudaPageLocking(device);
        var options = new FusedEngineOptions(1, 64, 0, false, Path.Combine(Path.GetTempPath(), "streaming-kernels"), Offload: level);
        using (var weights = new PreparedWeights(Config, new RandomWeights(Config, 1)))
        {
            // The driver locks no page twice: what is locked here is refused to the engine.
            var (high, _) = weights.Wait();
            CudaDriver.Check(CudaDriver.cuMemHostRegister_v2(high, 4096, CudaDriver.HostPortable | CudaDriver.HostMapped), "lock a page");
            try
            {
                Assert.Matches(Sentence, Assert.Throws<HostMemoryException>(() => new FusedEngine(Config, new OptimizerOptions(), options, weights)).Message);
            }
            finally
            {
                _ = CudaDriver.cuMemHostUnregister(high);
            }
        }
        using var next = FusedEngine.Create(Config, new OptimizerOptions(), options, new RandomWeights(Config, 1));
        next.Accumulate([.. Enumerable.Range(0, 64)], 1, 1);
        Assert.True(float.IsFinite(next.Update(1e-3).Loss));

        using var block = new HostBlock(1 << 20);
        locking.Lock(block);
        Assert.Matches(Sentence, Assert.Throws<HostMemoryException>(() => locking.Lock(block)).Message);
        locking.Unlock(block);
    }
}
