namespace Streaming.Streams.Compression;

/// <summary>A block of xz that is decoded as a whole by a thread of its own. What comes before damage is data nonetheless.</summary>
internal sealed class XzBlockAhead : IDisposable
{
    private const int MostHeader = 20;

    private readonly NativeBuffer _packed;
    private readonly NativeBuffer _data;
    private readonly byte _checkKind;
    private readonly Task _decoding;
    private readonly int _packedLength;
    private int _start;
    private int _end;

    private unsafe XzBlockAhead(InputBuffer input, int packedLength, int dataLength, byte checkKind)
    {
        _packed = new NativeBuffer(packedLength);
        _data = new NativeBuffer(dataLength);
        _checkKind = checkKind;
        // A block that is cut short is decoded as far as it goes.
        while (_packedLength < packedLength && input.Read(_packed.Span(_packedLength, packedLength - _packedLength)) is > 0 and var read)
            _packedLength += read;
        _decoding = Task.Factory.StartNew(Decode, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Of the block, once its data have been read without a failure.</summary>
    public XzBlockSizes Sizes { get; private set; }

    /// <summary>Why its data are not whole.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Bytes that a block needs while it is decoded: itself, its data and a window; null where its header does not say.</summary>
    public static long? Cost(InputBuffer input, byte checkKind) =>
        Lengths(input, checkKind) is var (packed, data) ? packed + 2 * data : null;

    /// <summary>Takes a block from the input, whose <see cref="Cost"/> is known, and lets it be decoded.</summary>
    public static XzBlockAhead Begin(InputBuffer input, byte checkKind)
    {
        var (packed, data) = Lengths(input, checkKind)!.Value;
        return new XzBlockAhead(input, (int)packed, (int)data, checkKind);
    }

    /// <summary>The bytes of the block at which the input stands, as its header announces them.</summary>
    private static (long Packed, long Data)? Lengths(InputBuffer input, byte checkKind)
    {
        const byte bothSizes = 0xC0;
        var header = input.Peek(MostHeader);
        if (header.Length < MostHeader || header[0] == 0 || (header[1] & bothSizes) != bothSizes)
            return null;
        var place = 2;
        if (!TryNumber(header, ref place, out var packed) || !TryNumber(header, ref place, out var data) || packed > int.MaxValue || data > int.MaxValue)
            return null;
        var headerLength = (header[0] + 1) * 4;
        return (headerLength + (packed + 3) / 4 * 4 + XzBlockReader.CheckLength(checkKind), data);
    }

    private static bool TryNumber(ReadOnlySpan<byte> bytes, ref int place, out long number)
    {
        number = 0;
        for (var shift = 0; shift < 63 && place < bytes.Length; shift += 7)
        {
            var value = bytes[place++];
            number |= (long)(value & 0x7F) << shift;
            if (value < 0x80)
                return true;
        }
        return false;
    }

    private unsafe void Decode()
    {
        using var packed = new UnmanagedMemoryStream(_packed.Start, _packedLength);
        using var block = new XzBlockReader(new InputBuffer(packed));
        try
        {
            block.Begin(_checkKind);
            for (int read; (read = Read(block)) > 0; _end += read) { }
            if (block.IsOpen)
                throw new InvalidDataException("the length of the data is wrong");
            Sizes = block.Sizes;
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            Failure = exception;
        }
    }

    private int Read(XzBlockReader block)
    {
        Span<byte> more = stackalloc byte[1];
        if (_end < _data.Length)
            return block.Read(_data.Span(_end, _data.Length - _end));
        block.Read(more); // nothing, where the header told the truth
        return 0;
    }

    /// <summary>Reads data of the block; 0 at its end.</summary>
    public int Read(Span<byte> buffer)
    {
        _decoding.GetAwaiter().GetResult();
        var count = Math.Min(buffer.Length, _end - _start);
        _data.Span(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    /// <summary>Lets go of the memory once nobody decodes into it any more.</summary>
    public void Dispose() => _decoding.ContinueWith(_ => Free(), TaskContinuationOptions.ExecuteSynchronously);

    private void Free()
    {
        _packed.Dispose();
        _data.Dispose();
    }
}
