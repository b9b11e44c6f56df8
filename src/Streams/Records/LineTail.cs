using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Finds the first document that begins at or past a place in lines of text, reading from shortly before the place.</summary>
internal static class LineTail
{
    /// <summary>Enough to see an empty line, LF CR LF, that ends at the place.</summary>
    public const int BytesBefore = 3;

    /// <summary>Reads up to the document; lines and records are counted from the place on.</summary>
    /// <param name="file">The file.</param>
    /// <param name="place">Some way behind the start of the file.</param>
    /// <param name="stop">Ends the way to the document early; the reader is of no use then.</param>
    public static LineRecordReader Open(SourceFile file, SourcePosition place, CancellationToken stop)
    {
        var text = SourceText.Open(file, place with { Offset = place.Offset - BytesBefore }, stop);
        var before = new byte[BytesBefore];
        text.ReadExactly(before);
        var lines = new LineReader(text, place.Offset);
        if (before is not ([.., (byte)'\n', (byte)'\n'] or [.., (byte)'\n', (byte)'\r', (byte)'\n']))
        {
            // A place within a line: its rest is an empty line only where nothing but CR is before.
            SkipDocument(lines, firstMayBeEmpty: before is [.., (byte)'\n'] or [.., (byte)'\n', (byte)'\r'], stop);
        }
        return new LineRecordReader(text, lines, place with { Offset = lines.Offset });
    }

    /// <summary>Passes over lines up to an empty one.</summary>
    private static void SkipDocument(LineReader lines, bool firstMayBeEmpty, CancellationToken stop)
    {
        var passed = new TextBatch();
        for (var mayBeEmpty = firstMayBeEmpty; !stop.IsCancellationRequested && lines.Read(passed); mayBeEmpty = true)
        {
            if (mayBeEmpty && passed[0].IsEmpty)
                return;
            passed.Clear();
        }
    }
}
