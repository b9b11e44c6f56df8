namespace Streaming.Model.Tests.Fused;

/// <summary>One argument of a launch: its bytes, lowest first, as <c>cuLaunchKernel</c> reads them through a pointer.</summary>
public readonly struct KernelArgument
{
    private KernelArgument(ulong bits, char kind) => (Bits, Kind) = (bits, kind);

    /// <summary>A value of a kind that is known already.</summary>
    public static KernelArgument Of(ulong bits, char kind) => new(bits, kind);

    /// <summary>The value's bytes; the upper four are zero where it has only four.</summary>
    public ulong Bits { get; }

    /// <summary><c>p</c> device pointer, <c>i</c> 32 bits, <c>l</c> 64 bits, <c>f</c> float.</summary>
    public char Kind { get; }

    public static implicit operator KernelArgument(nint pointer) => new((ulong)pointer, 'p');
    public static implicit operator KernelArgument(int value) => new((uint)value, 'i');
    public static implicit operator KernelArgument(long value) => new((ulong)value, 'l');
    public static implicit operator KernelArgument(ulong value) => new(value, 'l');
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), 'f');
}
