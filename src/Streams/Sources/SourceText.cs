using Streaming.Streams.Compression;

namespace Streaming.Streams.Sources;

/// <summary>The uncompressed bytes of a file from some place on.</summary>
internal sealed class SourceText : ForwardStream, ISeekPoints
{
    private readonly Stream _text;

    private SourceText(Stream text) => _text = text;

    /// <summary>
    /// Opens the text of a file at an offset. Plain files are sought in, xz is read from the block that its index names,
    /// bzip2 from the seek point; all else is unpacked from the start, and what lies before the offset thrown away.
    /// </summary>
    /// <param name="file">The file, whose compression is told by its content.</param>
    /// <param name="start">Where to begin; what lies before its offset is left out.</param>
    /// <param name="stop">Ends the way to the offset early; the stream is of no use then.</param>
    /// <exception cref="SourceException">The file cannot be opened, ends before the offset or is damaged before it.</exception>
    public static SourceText Open(SourceFile file, SourcePosition start, CancellationToken stop)
    {
        var bytes = file.Open(stop);
        var reached = 0L;
        try
        {
            var text = OpenNear(file, bytes, start.Offset, start.Near, out reached);
            Skip(file, text, start.Offset, ref reached, stop);
            return new SourceText(text);
        }
        catch (Exception exception)
        {
            bytes.Dispose();
            if (exception is SourceException or OperationCanceledException)
                throw;
            throw Unreadable(file, start with { Offset = reached, Line = 0 }, exception);
        }
    }

    /// <summary>Opens the text at the last place before the offset that can be reached without reading what lies before.</summary>
    private static Stream OpenNear(SourceFile file, Stream bytes, long offset, SeekPoint near, out long reached)
    {
        var input = new InputBuffer(bytes);
        var format = CompressionFormats.Detect(input);
        reached = 0;
        if (offset > 0 && bytes.CanSeek)
        {
            switch (format)
            {
                case CompressionFormat.Plain when bytes.Length < offset:
                    throw TooShort(file, offset);
                case CompressionFormat.Plain:
                    bytes.Position = reached = offset;
                    return new InputBuffer(bytes);
                case CompressionFormat.Bzip2 when near.CompressedBit > 0 && near.Offset <= offset:
                    bytes.Position = near.CompressedBit / 8;
                    reached = near.Offset;
                    return new Bzip2ReadStream(new InputBuffer(bytes), file.Decompressors, near);
                case CompressionFormat.Xz:
                    var place = XzIndex.Read(bytes)?.BlockAt(offset);
                    bytes.Position = place?.Start ?? 0;
                    reached = place?.Offset ?? 0;
                    return new XzReadStream(new InputBuffer(bytes), file.Decompressors, place);
            }
        }
        if (format == CompressionFormat.Plain)
        {
            RefuseWebPage(file, input);
            return input;
        }
        var text = new InputBuffer(CompressionFormats.Open(input, format, file.Decompressors));
        return CompressionFormats.Detect(text) == CompressionFormat.Plain
            ? text
            : throw new InvalidDataException("it is compressed twice; unpack it once");
    }

    /// <summary>Servers answer with a page of excuses where a file was asked for.</summary>
    private static void RefuseWebPage(SourceFile file, InputBuffer input)
    {
        if (file.IsRemote && CompressionFormats.IsNamedAsArchive(file.FileName) && input.Peek(1) is [(byte)'<'])
            throw new SourceException($"{file.Name} cannot be read: the server sent a page of markup in place of an archive; check the address.");
    }

    public SeekPoint SeekPointBefore(long offset) => ((_text as InputBuffer)?.Source ?? _text) is ISeekPoints archive ? archive.SeekPointBefore(offset) : default;

    public override int Read(Span<byte> buffer) => _text.Read(buffer);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _text.Dispose();
        base.Dispose(disposing);
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
        var place = position.Line > 0 || position.Record == 0 ? $"line {position.Line}" : $"record {position.Record}";
        var what = $"{file.Name} cannot be read past {place} (byte {position.Offset} of its text): {reason}";
        return exception is IOException and not EndOfStreamException
            ? new SourceOutageException($"{what}; check the disk or the network.", exception)
            : new SourceException($"{what}; replace the file or take it out of the sources.", exception);
    }

    private static void Skip(SourceFile file, Stream text, long count, ref long reached, CancellationToken stop)
    {
        var scratch = reached < count ? new byte[1 << 16] : [];
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
