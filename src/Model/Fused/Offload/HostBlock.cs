using System.Runtime.InteropServices;

namespace Streaming.Model.Fused.Offload;

/// <summary>
/// Host memory of any size, zero, at a page's start: address space at first, memory where it is touched. Large pages are asked for,
/// which makes touching and page-locking it several times faster.
/// </summary>
internal sealed unsafe partial class HostBlock : IDisposable
{
    private const int ReadWrite = 3, PrivateAnonymous = 0x22, LargePages = 14;
    private const long PageBytes = 4096, PieceBytes = 64 << 20;

    /// <param name="bytes">Size; the last page is whole.</param>
    /// <exception cref="HostMemoryException">There is no room in the address space, which is where <c>ulimit -v</c> and strict overcommitment say so.</exception>
    public HostBlock(long bytes)
    {
        Bytes = Math.Max(1, (bytes + PageBytes - 1) / PageBytes) * PageBytes;
        var address = mmap(0, (nuint)Bytes, ReadWrite, PrivateAnonymous, -1, 0);
        if (address == -1)
            throw new HostMemoryException($"the system refuses {HostMemoryException.Gibibytes(Bytes)} of host memory ({Marshal.GetLastPInvokeErrorMessage()}): see ulimit -v and vm.overcommit_memory, or set training.offload to a lower level");
        Address = address;
        _ = madvise(address, (nuint)Bytes, LargePages); // where the system has none, pages are small
    }

    public nint Address { get; private set; }
    public long Bytes { get; }

    /// <summary>Takes the memory itself, on all cores: later accesses find it there.</summary>
    public void Touch() => Parallel.For(0L, (Bytes + PieceBytes - 1) / PieceBytes, piece =>
    {
        var end = Math.Min(Bytes, (piece + 1) * PieceBytes);
        // An atomic addition of nothing: another thread may be writing there.
        for (var offset = piece * PieceBytes; offset < end; offset += PageBytes) Interlocked.Add(ref *(int*)(Address + (nint)offset), 0);
    });

    public void Dispose()
    {
        if (Address != 0) _ = munmap(Address, (nuint)Bytes);
        Address = 0;
    }

    [LibraryImport("libc", SetLastError = true)] private static partial nint mmap(nint address, nuint length, int protection, int flags, int file, long offset);
    [LibraryImport("libc")] private static partial int munmap(nint address, nuint length);
    [LibraryImport("libc")] private static partial int madvise(nint address, nuint length, int advice);
}
