using System.Runtime.InteropServices;

namespace Streaming.Model.Safetensors;

/// <summary>Pages of files that are mapped into the process.</summary>
internal static partial class MappedPages
{
    private const int DontNeed = 4; // MADV_DONTNEED

    /// <summary>
    /// Takes the pages that lie whole within a range out of the process, whose resident size a model's weights would double otherwise. They stay in the
    /// system's cache as long as it has room, and come back where they are read again.
    /// </summary>
    public static void Release(nint address, long bytes)
    {
        var page = (nint)Environment.SystemPageSize;
        var begin = (address + page - 1) / page * page;
        var end = (nint)(address + bytes) / page * page;
        if (end > begin) _ = madvise(begin, (nuint)(end - begin), DontNeed); // advice: where it is refused, the pages stay
    }

    [LibraryImport("libc")] private static partial int madvise(nint address, nuint length, int advice);
}
