using System.Runtime.InteropServices;

namespace Streaming.Model.Fused.Cuda;

/// <summary>Kernels by name, run in the order of the calls.</summary>
internal interface IKernelQueue
{
    /// <summary>Queues a kernel; <paramref name="grid"/> and <paramref name="block"/> are (x, y).</summary>
    void Launch(string name, (int X, int Y) grid, (int X, int Y) block, params ReadOnlySpan<KernelArgument> arguments);
}

internal static class KernelQueueExtensions
{
    public static void Launch(this IKernelQueue queue, string name, int grid, int block, params ReadOnlySpan<KernelArgument> arguments) =>
        queue.Launch(name, (grid, 1), (block, 1), arguments);
}

/// <summary>One kernel argument: its bytes, lowest first, as <c>cuLaunchKernel</c> reads them through a pointer to it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct KernelArgument
{
    private KernelArgument(long bits, char kind) => (Bits, Kind) = (bits, kind);

    /// <summary>The value; the upper four bytes are zero where it has only four.</summary>
    public readonly long Bits;

    /// <summary><c>p</c> device pointer, <c>i</c> 32 bits, <c>l</c> 64 bits, <c>f</c> float.</summary>
    public readonly char Kind;

    public static implicit operator KernelArgument(nint pointer) => new(pointer, 'p');
    public static implicit operator KernelArgument(int value) => new((uint)value, 'i');
    public static implicit operator KernelArgument(long value) => new(value, 'l');
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), 'f');
}
