using System.Text.Json;

namespace Streaming.Streams.Records;

/// <summary>Cuts a JSON array into its elements as it streams by. What is malformed cannot be passed over: where the next element begins is unknown then.</summary>
/// <param name="text">Uncompressed bytes. Not disposed.</param>
/// <param name="offset">Bytes of the text before them: none, or up to the end of an element.</param>
internal sealed class JsonArrayCutter(Stream text, long offset) : IJsonCutter
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 256 };

    private byte[] _bytes = new byte[1 << 18];
    private int _start, _end;
    private bool _atEnd;
    private bool _hasBegun = offset > 0;
    private bool _hasEnded;

    public long Offset { get; private set; } = offset;

    public bool CutsLines => false;

    public bool Next(out ReadOnlySpan<byte> json, out bool isTooLong)
    {
        json = [];
        isTooLong = false;
        if (_hasEnded)
            return false;
        if (!_hasBegun)
            SkipByteOrderMark();
        var next = Peek();
        if (next == ']' && _hasBegun)
            return End();
        Expect(next, _hasBegun ? ',' : '[');
        if (!_hasBegun && Peek() == ']')
            return End();
        _hasBegun = true;
        Peek(); // spaces before the element are not its own
        json = Element();
        return true;
    }

    private ReadOnlySpan<byte> Element()
    {
        while (true)
        {
            var available = _bytes.AsSpan(_start, _end - _start);
            var reader = new Utf8JsonReader(available, _atEnd, new JsonReaderState(Options));
            try
            {
                if (reader.Read() && reader.TrySkip())
                {
                    var length = (int)reader.BytesConsumed;
                    Take(length);
                    return available[..length];
                }
            }
            catch (JsonException mistake)
            {
                throw Malformed(Offset + reader.BytesConsumed, mistake.Message.Split(" LineNumber", 2)[0].TrimEnd('.'));
            }
            if (available.Length > JsonLineCutter.LongestLine)
                throw Malformed(Offset, $"an element that begins here does not end within {JsonLineCutter.LongestLine >> 20} MiB");
            Fill();
        }
    }

    /// <summary>The next byte that is no space, which is not taken yet; -1 at the end of the text.</summary>
    private int Peek()
    {
        while (true)
        {
            for (; _start < _end; Take(1))
            {
                if (_bytes[_start] is not ((byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n'))
                    return _bytes[_start];
            }
            if (_atEnd)
                return -1;
            Fill();
        }
    }

    private void Expect(int next, char expected)
    {
        if (next != expected)
            throw Malformed(Offset, next < 0 ? $"the text ends where {(_hasBegun ? "',' or ']'" : "'['")} was expected" : $"{(_hasBegun ? "',' or ']'" : "'['")} was expected");
        Take(1);
    }

    private bool End()
    {
        Take(1);
        if (Peek() >= 0)
            throw Malformed(Offset, "nothing may follow the array");
        _hasEnded = true;
        return false;
    }

    private void SkipByteOrderMark()
    {
        while (_end - _start < 3 && !_atEnd)
            Fill();
        if (_bytes.AsSpan(_start, _end - _start) is [0xEF, 0xBB, 0xBF, ..])
            Take(3);
    }

    private void Take(int length)
    {
        _start += length;
        Offset += length;
    }

    /// <summary>Reads more behind what is there, moving it to the front or growing the buffer where that is needed.</summary>
    private void Fill()
    {
        _bytes.AsSpan(_start, _end - _start).CopyTo(_bytes);
        _end -= _start;
        _start = 0;
        if (_end == _bytes.Length)
            Array.Resize(ref _bytes, _bytes.Length * 2);
        var read = text.Read(_bytes, _end, _bytes.Length - _end);
        _end += read;
        _atEnd = read == 0;
    }

    private static InvalidDataException Malformed(long place, string reason) => new($"malformed JSON at byte {place}: {reason}");
}
