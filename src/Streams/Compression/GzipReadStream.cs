using System.Buffers.Binary;
using ICSharpCode.SharpZipLib;
using ICSharpCode.SharpZipLib.Zip.Compression;

namespace Streaming.Streams.Compression;

/// <summary>
/// Reads gzip (RFC 1952), member after member. A member that is cut short is an <see cref="EndOfStreamException"/>; a
/// wrong check, a wrong length, and anything but zeros after the last member an <see cref="InvalidDataException"/>.
/// </summary>
/// <remarks>
/// <see cref="System.IO.Compression.GZipStream"/> takes a cut file for a whole one, so only inflating is left to a library.
/// </remarks>
internal sealed class GzipReadStream(InputBuffer input) : ForwardStream
{
    private const int HeaderCheckFlag = 2, ExtraFlag = 4, NameFlag = 8, CommentFlag = 16, ReservedFlags = 0xE0;

    private readonly Inflater _inflater = new(noHeader: true);
    private readonly byte[] _output = new byte[1 << 15];
    private int _outputStart;
    private int _outputEnd;
    private bool _inMember;
    private bool _anyMember;
    private ulong _check;
    private uint _length;

    public override int Read(Span<byte> buffer)
    {
        while (_outputStart == _outputEnd)
        {
            if (!_inMember && !BeginMember())
                return 0;
            Inflate();
        }
        var count = Math.Min(buffer.Length, _outputEnd - _outputStart);
        _output.AsSpan(_outputStart, count).CopyTo(buffer);
        _outputStart += count;
        return count;
    }

    private bool BeginMember()
    {
        if (_anyMember && OnlyZerosAreLeft())
            return false;
        Span<byte> header = stackalloc byte[10];
        input.ReadExactly(header);
        if (header[0] != 0x1F || header[1] != 0x8B)
            throw new InvalidDataException("bytes that are no gzip member follow the last one");
        if (header[2] != 8 || (header[3] & ReservedFlags) != 0)
            throw new InvalidDataException("the gzip header asks for an unknown method");
        var check = ReflectedCrc.Crc32.Append(0, header);
        if ((header[3] & ExtraFlag) != 0)
        {
            var length = NextHeaderByte(ref check) | (NextHeaderByte(ref check) << 8);
            while (length-- > 0)
                NextHeaderByte(ref check);
        }
        for (var texts = ((header[3] & NameFlag) != 0 ? 1 : 0) + ((header[3] & CommentFlag) != 0 ? 1 : 0); texts > 0; texts--)
            while (NextHeaderByte(ref check) != 0) { }
        if ((header[3] & HeaderCheckFlag) != 0 && (input.Next() | (input.Next() << 8)) != (int)(check & 0xFFFF))
            throw new InvalidDataException("the check of the gzip header is wrong");
        _inflater.Reset();
        _check = 0;
        _length = 0;
        _anyMember = _inMember = true;
        return true;
    }

    private byte NextHeaderByte(ref ulong check)
    {
        var value = input.Next();
        check = ReflectedCrc.Crc32.Append(check, [value]);
        return value;
    }

    /// <summary>Zeros may pad the end, as gzip itself allows.</summary>
    private bool OnlyZerosAreLeft()
    {
        while (input.Fill() && input.Storage[input.Start] == 0)
            input.Take(1);
        return !input.Fill();
    }

    private void Inflate()
    {
        try
        {
            if (_inflater.IsNeedingInput)
            {
                if (!input.Fill())
                    throw new EndOfStreamException();
                _inflater.SetInput(input.Storage, input.Start, input.End - input.Start);
                input.Take(input.End - input.Start);
            }
            _outputStart = 0;
            _outputEnd = _inflater.Inflate(_output, 0, _output.Length);
        }
        catch (Exception exception) when (exception is SharpZipBaseException or IndexOutOfRangeException)
        {
            throw new InvalidDataException("the compressed data are damaged", exception);
        }
        if (_inflater.IsNeedingDictionary)
            throw new InvalidDataException("the compressed data are damaged");
        var output = _output.AsSpan(0, _outputEnd);
        _check = ReflectedCrc.Crc32.Append(_check, output);
        _length += (uint)output.Length;
        if (_inflater.IsFinished)
            EndMember();
    }

    private void EndMember()
    {
        input.Take(-_inflater.RemainingInput);
        Span<byte> trailer = stackalloc byte[8];
        input.ReadExactly(trailer);
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) != (uint)_check)
            throw new InvalidDataException("the check of the data is wrong");
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..]) != _length)
            throw new InvalidDataException("the length of the data is wrong");
        _inMember = false;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            input.Dispose();
        base.Dispose(disposing);
    }
}
