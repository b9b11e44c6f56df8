using Streaming.Streams.Compression;

namespace Streaming.Streams.Sources;

/// <summary>The uncompressed bytes of a file.</summary>
internal static class SourceText
{
    /// <summary>The text of a file from an offset on. Plain files are sought in, archives are unpacked up to there.</summary>
    /// <param name="file">The file, whose compression is told by its content.</param>
    /// <param name="offset">Uncompressed bytes to leave out.</param>
    /// <param name="stop">Ends the way to the offset early; the stream is of no use then.</param>
    /// <exception cref="SourceException">The file cannot be opened, ends before the offset or is damaged before it.</exception>
    public static Stream Open(SourceFile file, long offset, CancellationToken stop)
    {
        var bytes = file.Open();
        var reached = 0L;
        try
        {
            var input = new InputBuffer(bytes);
            var format = CompressionFormats.Detect(input);
            if (format == CompressionFormat.Plain && bytes.CanSeek)
            {
                if (bytes.Length < offset)
                    throw TooShort(file, offset);
                if (offset == 0)
                    return input;
                bytes.Position = offset;
                return new InputBuffer(bytes);
            }
            var text = CompressionFormats.Open(input, format);
            Skip(file, text, offset, ref reached, stop);
            return text;
        }
        catch (Exception exception)
        {
            bytes.Dispose();
            if (exception is SourceException)
                throw;
            throw Unreadable(file, SourcePosition.StartOf(0, 0) with { Offset = reached }, exception);
        }
    }

    /// <summary>What a user is told of a file that is damaged at some place.</summary>
    public static SourceException Unreadable(SourceFile file, SourcePosition position, Exception exception)
    {
        var reason = exception switch
        {
            EndOfStreamException => "the archive is cut short",
            InvalidDataException => exception.Message,
            ZstdSharp.ZstdException => $"the compressed data are damaged ({exception.Message})",
            _ => exception.Message.TrimEnd('.'),
        };
        return new SourceException(
            $"{file.Name} cannot be read past line {position.Line} (byte {position.Offset} of its text): {reason}; replace the file or take it out of the sources.", exception);
    }

    private static void Skip(SourceFile file, Stream text, long count, ref long reached, CancellationToken stop)
    {
        var scratch = count > 0 ? new byte[1 << 16] : [];
        while (reached < count && !stop.IsCancellationRequested)
        {
            var read = text.Read(scratch, 0, (int)Math.Min(scratch.Length, count - reached));
            if (read == 0)
                throw TooShort(file, count);
            reached += read;
        }
    }

    private static SourceException TooShort(SourceFile file, long offset) => new(
        $"{file.Name} ends before byte {offset} of its text, where the cursor stands; give the text that the run began with, or start without the cursor.");
}
