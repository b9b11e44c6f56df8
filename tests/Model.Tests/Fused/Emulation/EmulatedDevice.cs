using System.Runtime.InteropServices;
using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused.Emulation;

/// <summary>
/// Runs kernels on the CPU. Fresh memory and a band on either side of it hold NaN in every width (as integers, -1 to -16), so
/// that what is read before it is written, or beside an array, shows in the results; what is written beside an array fails
/// the launch. Neighbouring arrays' bands differ, or copying one to another would pass.
/// </summary>
internal sealed unsafe class EmulatedDevice : IKernelDevice
{
    private const int BandBytes = 16 * 1024;

    private readonly EmulatedModule _module;
    private readonly Dictionary<nint, Allocation> _allocations = [];
    private readonly Lock _lock = new();
    private uint _allocated;

    private EmulatedDevice(EmulatedModule module) => _module = module;

    /// <summary>The product's kernels for one shape.</summary>
    public static EmulatedDevice For(FusedShape shape, bool halfPrecision = false) => Compile(KernelSource.Text, KernelSource.Macros(shape, halfPrecision));

    /// <summary>Any kernels.</summary>
    public static EmulatedDevice Compile(string source, IEnumerable<string> macros) => new(EmulatedModule.Compile(source, macros));

    public nint Allocate(long bytes)
    {
        var start = (byte*)NativeMemory.AlignedAlloc((nuint)(bytes + 2 * BandBytes), 256);
        NativeMemory.Fill(start, (nuint)(bytes + 2 * BandBytes), 0xff);
        var pointer = (nint)(start + BandBytes);
        lock (_lock)
        {
            var allocation = new Allocation(pointer, bytes, 0xfffffff0 + _allocated++ % 15);
            allocation.FillBands();
            _allocations.Add(pointer, allocation);
        }
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
            foreach (var allocation in _allocations.Values)
            {
                if (allocation.BandsAreWhole()) continue;
                allocation.FillBands();
                throw new KernelException($"{kernel}: wrote beside an array of {allocation.Bytes} bytes");
            }
        }
    }

    private readonly record struct Allocation(nint Pointer, long Bytes, uint Band)
    {
        private Span<uint> Before => new((byte*)Pointer - BandBytes, BandBytes / 4);
        private Span<uint> After => new((byte*)Pointer + (Bytes + 3) / 4 * 4, BandBytes / 4 - 1);

        public void FillBands()
        {
            Before.Fill(Band);
            After.Fill(Band);
        }

        public bool BandsAreWhole() => !Before.ContainsAnyExcept(Band) && !After.ContainsAnyExcept(Band);
    }
}

/// <summary>A kernel did what a GPU would not survive.</summary>
internal sealed class KernelException(string message) : Exception(message);
