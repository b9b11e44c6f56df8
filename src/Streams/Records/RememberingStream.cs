using Streaming.Streams.Compression;

namespace Streaming.Streams.Records;

/// <summary>A stream that keeps its failure, for readers whose native code lets only the message through.</summary>
internal sealed class RememberingStream(Stream source) : ForwardStream
{
    public Exception? Failure { get; private set; }

    public override bool CanSeek => true;
    public override long Length => source.Length;

    public override long Position
    {
        get => source.Position;
        set => source.Position = value;
    }

    public override long Seek(long offset, SeekOrigin origin) => source.Seek(offset, origin);

    public override int Read(Span<byte> buffer)
    {
        try
        {
            return source.Read(buffer);
        }
        catch (Exception exception)
        {
            Failure ??= exception;
            throw;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }
}
