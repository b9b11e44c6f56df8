namespace Streaming.Model.Tests.Fused;

/// <summary>Somewhere to run the kernels of one <c>FusedShape</c>: memory of its own, and launches by name.</summary>
/// <remarks>Launches and copies take effect in the order of the calls. Callable from any thread.</remarks>
public interface IKernelDevice
{
    /// <summary>Memory for <paramref name="bytes"/> bytes, aligned to 256, holding NaN or anything else but what a test expects.</summary>
    nint Allocate(long bytes);

    /// <summary>Gives back what <see cref="Allocate"/> returned.</summary>
    void Free(nint pointer);

    /// <summary>Copies to the device.</summary>
    void Upload(nint destination, ReadOnlySpan<byte> source);

    /// <summary>Copies from the device, after everything launched before.</summary>
    void Download(nint source, Span<byte> destination);

    /// <summary>Runs a kernel; <paramref name="arguments"/> have its parameters' order and sizes.</summary>
    void Launch(string kernel, Extent grid, Extent block, params ReadOnlySpan<KernelArgument> arguments);
}

/// <summary>Size of a grid in blocks or of a block in threads.</summary>
public readonly record struct Extent(int X, int Y = 1, int Z = 1)
{
    public static implicit operator Extent(int x) => new(x);
}
