using System.Runtime.InteropServices;

namespace Streaming.Model.Tests.Fused.Offload;

/// <summary>A device that has memory and no kernels.</summary>
internal sealed unsafe class PlainMemory : IKernelDevice
{
    /// <summary>Bytes that were ever allocated.</summary>
    public long AllocatedBytes { get; private set; }

    public nint Allocate(long bytes)
    {
        AllocatedBytes += bytes;
        return (nint)NativeMemory.AlignedAlloc((nuint)bytes, 256);
    }

    public void Free(nint pointer) => NativeMemory.AlignedFree((void*)pointer);

    public void Upload(nint target, ReadOnlySpan<byte> source) => source.CopyTo(new Span<byte>((void*)target, source.Length));

    public void Download(nint source, Span<byte> target) => new ReadOnlySpan<byte>((void*)source, target.Length).CopyTo(target);

    public void Launch(string kernel, Extent grid, Extent block, params ReadOnlySpan<KernelArgument> arguments) => throw new NotSupportedException("nothing is computed here");
}
