using System.Runtime.InteropServices;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// Zeroed 64-bit words outside the managed heap; words that were never touched cost no memory. Whoever uses
/// <see cref="Start"/> keeps the object alive meanwhile. Freed by <see cref="Dispose"/> or the finalizer.
/// </summary>
internal sealed unsafe class NativeWords : IDisposable
{
    private const nuint HugePage = 2 << 20;
    private const int AdviceHugePages = 14;

    /// <param name="length">Words.</param>
    /// <param name="isScattered">They will be read at random: on Linux huge pages are asked for, which saves half of the waiting.</param>
    public NativeWords(long length, bool isScattered = false)
    {
        Length = length;
        var bytes = (nuint)length * sizeof(ulong);
        Start = (ulong*)NativeMemory.AllocZeroed(bytes);
        if (!isScattered || bytes < 2 * HugePage || !OperatingSystem.IsLinux())
            return;
        var first = ((nuint)Start + HugePage - 1) & ~(HugePage - 1);
        var end = ((nuint)Start + bytes) & ~(HugePage - 1);
        _ = Advise((void*)first, end - first, AdviceHugePages); // a hint: where it is refused, pages are small
    }

    ~NativeWords() => NativeMemory.Free(Start);

    public ulong* Start { get; private set; }

    public long Length { get; }

    public void Dispose()
    {
        NativeMemory.Free(Start);
        Start = null;
        GC.SuppressFinalize(this);
    }

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int Advise(void* start, nuint bytes, int advice);
}
