using System.Runtime.InteropServices;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Tests.Fused;

/// <summary>A kernel device as the engine's own classes see it.</summary>
internal sealed class BenchDevice(IKernelDevice device) : IDeviceMemory, IKernelQueue, IDisposable
{
    private readonly List<nint> _pointers = [];

    public int Multiprocessors => 2;

    public nint Allocate(long bytes, string purpose)
    {
        var pointer = device.Allocate(bytes);
        _pointers.Add(pointer);
        return pointer;
    }

    public void Clear(nint pointer, long bytes) => device.Upload(pointer, new byte[bytes]);

    public void Upload<T>(nint target, ReadOnlySpan<T> source) where T : unmanaged => device.Upload(target, MemoryMarshal.AsBytes(source));

    public void Download<T>(Span<T> target, nint source) where T : unmanaged => device.Download(source, MemoryMarshal.AsBytes(target));

    public void Launch(string name, (int X, int Y) grid, (int X, int Y) block, params ReadOnlySpan<Streaming.Model.Fused.Cuda.KernelArgument> arguments)
    {
        var values = new KernelArgument[arguments.Length];
        for (var i = 0; i < values.Length; i++) values[i] = KernelArgument.Of((ulong)arguments[i].Bits, arguments[i].Kind);
        device.Launch(name, new Extent(grid.X, grid.Y), new Extent(block.X, block.Y), values);
    }

    public void Dispose()
    {
        foreach (var pointer in _pointers) device.Free(pointer);
    }
}
