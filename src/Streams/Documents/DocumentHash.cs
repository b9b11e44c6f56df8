using System.Runtime.InteropServices;
using Streaming.Streams.Text;

namespace Streaming.Streams.Documents;

/// <summary>What a document is told by, whatever file it is in: the hash of its first line.</summary>
internal static class DocumentHash
{
    /// <summary>Drops the documents of the batch that are on the other side of the held-out split, and says how many lines they have.</summary>
    public static long KeepSide(LineBatch batch, Split split, double validationFraction)
    {
        var (line, lines) = (0, 0L);
        foreach (ref var document in batch.Documents)
        {
            if (!document.IsDropped && SideOf(document.Hash, validationFraction) != split)
            {
                document.IsDropped = true;
                lines += document.LineEnd - line;
            }
            line = document.LineEnd;
        }
        return lines;
    }

    /// <summary>The side of the held-out split that a document with this hash is on.</summary>
    public static Split SideOf(ulong hash, double validationFraction) =>
        hash >> 11 < validationFraction * (1UL << 53) ? Split.Validation : Split.Train;

    /// <summary>FNV-1a over the UTF-16 units' bytes, finished as in MurmurHash3 so that the high bits are worth as much as the low.</summary>
    public static ulong Of(ReadOnlySpan<char> firstLine)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var value in MemoryMarshal.AsBytes(firstLine))
            hash = (hash ^ value) * 0x100000001B3;
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
        hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53;
        return hash ^ (hash >> 33);
    }
}
