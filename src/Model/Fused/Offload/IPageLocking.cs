using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused.Offload;

/// <summary>Makes host memory reachable for a device, which needs it to stay where it is.</summary>
internal interface IPageLocking
{
    /// <exception cref="HostMemoryException">Refused.</exception>
    void Lock(HostBlock block);

    void Unlock(HostBlock block);
}

/// <summary>Page-locked and mapped for a GPU: kernels read and write it at its own address.</summary>
internal sealed class CudaPageLocking(CudaDevice device) : IPageLocking
{
    public void Lock(HostBlock block)
    {
        device.Use();
        var code = cuMemHostRegister_v2(block.Address, (nuint)block.Bytes, HostPortable | HostMapped);
        if (code != 0)
            throw new HostMemoryException(
                $"{HostMemoryException.Gibibytes(block.Bytes)} of host memory could not be page-locked for the GPU ({CudaException.NameOf(code)}; ulimit -l allows {HostLimits.LockedMemory()}, {HostMemoryException.Gibibytes(HostLimits.Available())} are free): raise the limit (LimitMEMLOCK=infinity in a systemd unit, --ulimit memlock=-1 for a container), or set training.offload to a lower level",
                new CudaException(code, "page-lock host memory"));
    }

    public void Unlock(HostBlock block) => _ = cuMemHostUnregister(block.Address);
}
