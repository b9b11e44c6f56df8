using System.Runtime.InteropServices;
using Streaming.Streams.Text;

namespace Streaming.Streams.Splitting;

/// <summary>
/// Parts the text into what is trained on and what is held out, a whole document at a time. A document's side follows from
/// its first line alone, so neither the order of the files nor the size of a batch nor an earlier document changes it,
/// and copies of a document fall on one side. Documents end at empty lines and at the end of a file.
/// </summary>
internal sealed class DocumentSplit(Split split, double validationFraction, DocumentState start)
{
    /// <summary>Lines after which a new document is taken to begin: text without empty lines must have two sides as well.</summary>
    public const int LongestDocument = 10_000;

    private DocumentState _document = start;

    /// <summary>Keeps the lines of the batch that belong to the split, without the empty ones.</summary>
    public void Keep(LineBatch batch)
    {
        if (batch.Position.Offset == 0)
            _document = default;
        batch.Document = _document;
        var (lines, kept) = (batch.Lines, batch.Next);
        for (var index = 0; index < lines.Count; index++)
        {
            var line = lines[index];
            if (line.IsEmpty)
            {
                _document = default;
                continue;
            }
            if (_document.Lines is 0 or LongestDocument)
                _document = new DocumentState(Hash(line), 0);
            _document = _document with { Lines = _document.Lines + 1 };
            if (SideOf(_document.Hash) == split)
                kept.AppendLine(line);
        }
        batch.Replace();
    }

    private Split SideOf(ulong hash) => hash >> 11 < validationFraction * (1UL << 53) ? Split.Validation : Split.Train;

    /// <summary>FNV-1a over the UTF-16 units' bytes, finished as in MurmurHash3 so that the high bits are worth as much as the low.</summary>
    internal static ulong Hash(ReadOnlySpan<char> line)
    {
        var hash = 0xCBF29CE484222325;
        foreach (var value in MemoryMarshal.AsBytes(line))
            hash = (hash ^ value) * 0x100000001B3;
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
        hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53;
        return hash ^ (hash >> 33);
    }
}
