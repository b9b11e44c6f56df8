using System.Text;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused.Cuda;

/// <summary>
/// One GPU: its primary context (the one libtorch uses), the stream that everything is ordered on, and the memory taken from it.
/// All calls come from the thread that created it.
/// </summary>
internal sealed class CudaDevice : IDeviceMemory, IDisposable
{
    private readonly List<nint> _allocations = [];
    private readonly List<nint> _pinned = [];
    private readonly nint _context;

    /// <param name="ordinal">Index among the visible GPUs.</param>
    public unsafe CudaDevice(int ordinal)
    {
        Ordinal = ordinal;
        Check(cuInit(0), "cuInit");
        Check(cuDeviceGet(out var device, ordinal), $"open GPU {ordinal}");
        Check(cuDevicePrimaryCtxRetain(out _context, device), "retain the primary context");
        Use();
        Check(cuDeviceGetAttribute(out var major, ComputeCapabilityMajor, device), "read the compute capability");
        Check(cuDeviceGetAttribute(out var minor, ComputeCapabilityMinor, device), "read the compute capability");
        Check(cuDeviceGetAttribute(out var multiprocessors, MultiprocessorCount, device), "count the multiprocessors");
        ComputeCapability = (major, minor);
        Multiprocessors = multiprocessors;
        var name = stackalloc byte[256];
        Check(cuDeviceGetName(name, 256, device), "read the name");
        Name = Encoding.UTF8.GetString(new ReadOnlySpan<byte>(name, 256)).Split('\0')[0];
        Check(cuStreamCreate(out var stream, StreamNonBlocking), "create a stream");
        Stream = stream;
    }

    /// <summary>Makes the calling thread one that may copy to this GPU; the stream stays the owner's.</summary>
    public void Use() => Check(cuCtxSetCurrent(_context), "set the context");

    /// <summary>
    /// Makes the context of GPU <paramref name="ordinal"/> before anyone needs it; meant for a thread beside the one that loads libtorch.
    /// It says nothing of a failure, which comes back when the GPU is opened.
    /// </summary>
    public static void Prepare(int ordinal)
    {
        if (cuInit(0) == 0 && cuDeviceGet(out var device, ordinal) == 0) _ = cuDevicePrimaryCtxRetain(out _, device);
    }

    public int Ordinal { get; }
    public string Name { get; }
    public (int Major, int Minor) ComputeCapability { get; }
    public int Multiprocessors { get; }
    public nint Stream { get; }

    /// <summary>Number of the graph that is being recorded; 0 while none is.</summary>
    public int Recording { get; internal set; }

    /// <summary>Bytes taken through <see cref="Allocate"/>.</summary>
    public long AllocatedBytes { get; private set; }

    /// <summary>Bytes of the card in use, by everyone.</summary>
    public static (long Used, long Total) Memory()
    {
        Check(cuMemGetInfo_v2(out var free, out var total), "read the memory");
        return ((long)(total - free), (long)total);
    }

    /// <summary>Device memory for the device's life, 256-byte aligned, uninitialised.</summary>
    public nint Allocate(long bytes, string purpose)
    {
        var code = cuMemAlloc_v2(out var pointer, (nuint)bytes);
        if (code != 0)
            throw new CudaException(code, $"allocate {bytes / 1048576.0:N0} MiB for {purpose}");
        _allocations.Add(pointer);
        AllocatedBytes += bytes;
        return pointer;
    }

    /// <summary>Page-locked host memory for the device's life.</summary>
    public nint AllocatePinned(long bytes)
    {
        Check(cuMemHostAlloc(out var pointer, (nuint)bytes, 0), $"pin {bytes / 1048576.0:N1} MiB of host memory");
        _pinned.Add(pointer);
        return pointer;
    }

    /// <summary>Fills with zeros; <paramref name="bytes"/> is a multiple of 4.</summary>
    public void Clear(nint pointer, long bytes) => Check(cuMemsetD32Async(pointer, 0, (nuint)(bytes / 4), Stream), "clear memory");

    public void Synchronize() => Check(cuStreamSynchronize(Stream), "synchronize");

    public unsafe void Upload<T>(nint target, ReadOnlySpan<T> source) where T : unmanaged
    {
        fixed (T* pointer = source)
        {
            Check(cuMemcpyHtoDAsync_v2(target, (nint)pointer, (nuint)((long)source.Length * sizeof(T)), Stream), "upload");
            Synchronize();
        }
    }

    public unsafe void Download<T>(Span<T> target, nint source) where T : unmanaged
    {
        fixed (T* pointer = target)
        {
            Check(cuMemcpyDtoHAsync_v2((nint)pointer, source, (nuint)((long)target.Length * sizeof(T)), Stream), "download");
            Synchronize();
        }
    }

    public void Dispose()
    {
        _ = cuStreamSynchronize(Stream);
        foreach (var pointer in _allocations) _ = cuMemFree_v2(pointer);
        foreach (var pointer in _pinned) _ = cuMemFreeHost(pointer);
        _ = cuStreamDestroy_v2(Stream);
    }
}
