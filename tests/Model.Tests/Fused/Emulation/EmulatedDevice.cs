using System.Runtime.InteropServices;
using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused.Emulation;

/// <summary>
/// Runs kernels on the CPU. Fresh memory and a band on either side of it hold NaN (as integers, -1), so that what is read
/// before it is written, or beside an array, shows in the results; what is written beside an array fails the launch.
/// </summary>
internal sealed unsafe class EmulatedDevice : IKernelDevice
{
    private const int BandBytes = 1024;
    private const byte Poison = 0xff;

    private readonly EmulatedModule _module;
    private readonly Dictionary<nint, long> _allocations = [];
    private readonly Lock _lock = new();

    private EmulatedDevice(EmulatedModule module) => _module = module;

    /// <summary>The product's kernels for one shape.</summary>
    public static EmulatedDevice For(FusedShape shape) => Compile(KernelSource.Text, KernelSource.Macros(shape));

    /// <summary>Any kernels.</summary>
    public static EmulatedDevice Compile(string source, IEnumerable<string> macros) => new(EmulatedModule.Compile(source, macros));

    public nint Allocate(long bytes)
    {
        var start = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + 2 * BandBytes), 256);
        NativeMemory.Fill(start, (nuint)(bytes + 2 * BandBytes), Poison);
        var pointer = (nint)(start + BandBytes);
        lock (_lock) _allocations.Add(pointer, bytes);
        return pointer;
    }

    public void Free(nint pointer)
    {
        lock (_lock) _allocations.Remove(pointer);
        NativeMemory.AlignedFree((byte*)pointer - BandBytes);
    }

    public void Upload(nint destination, ReadOnlySpan<byte> source) => source.CopyTo(new Span<byte>((void*)destination, source.Length));

    public void Download(nint source, Span<byte> destination) => new ReadOnlySpan<byte>((void*)source, destination.Length).CopyTo(destination);

    public void Launch(string kernel, Extent grid, Extent block, params ReadOnlySpan<KernelArgument> arguments)
    {
        lock (_lock)
        {
            if (_module.Launch(kernel, grid, block, arguments) is { } failure) throw new KernelException($"{kernel}: {failure}");
            foreach (var (pointer, bytes) in _allocations)
            {
                var before = new Span<byte>((byte*)pointer - BandBytes, BandBytes);
                var after = new Span<byte>((byte*)pointer + bytes, BandBytes);
                if (!before.ContainsAnyExcept(Poison) && !after.ContainsAnyExcept(Poison)) continue;
                before.Fill(Poison);
                after.Fill(Poison);
                throw new KernelException($"{kernel}: wrote beside an array of {bytes} bytes");
            }
        }
    }
}

/// <summary>A kernel did what a GPU would not survive.</summary>
internal sealed class KernelException(string message) : Exception(message);
