using System.Text.Json;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>Cuts a JSON array into its elements as it streams by. What is malformed cannot be passed over: where the next element begins is unknown then.</summary>
/// <param name="text">Uncompressed bytes. Not disposed.</param>
/// <param name="offset">Bytes of the text before them: none, or up to the end of an element.</param>
internal sealed class JsonArrayCutter(Stream text, long offset) : IJsonCutter
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 256 };

    private readonly ByteWindow _window = new(text, offset);
    private bool _hasBegun = offset > 0;
    private bool _hasEnded;

    public long Offset => _window.Offset;

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
            var available = _window.Bytes;
            var reader = new Utf8JsonReader(available, _window.AtEnd, new JsonReaderState(Options));
            try
            {
                if (reader.Read() && reader.TrySkip())
                {
                    var length = (int)reader.BytesConsumed;
                    _window.Take(length);
                    return available[..length];
                }
            }
            catch (JsonException mistake)
            {
                throw Malformed(Offset + reader.BytesConsumed, mistake.Message.Split(" LineNumber", 2)[0].TrimEnd('.'));
            }
            if (available.Length > JsonLineCutter.LongestLine)
                throw Malformed(Offset, $"an element that begins here does not end within {JsonLineCutter.LongestLine >> 20} MiB");
            _window.Fill();
        }
    }

    /// <summary>The next byte that is no space, which is not taken yet; -1 at the end of the text.</summary>
    private int Peek()
    {
        while (true)
        {
            var spaces = _window.Bytes.IndexOfAnyExcept(" \t\r\n"u8);
            _window.Take(spaces < 0 ? _window.Bytes.Length : spaces);
            if (spaces >= 0)
                return _window.Bytes[0];
            if (_window.AtEnd)
                return -1;
            _window.Fill();
        }
    }

    private void Expect(int next, char expected)
    {
        if (next != expected)
            throw Malformed(Offset, next < 0 ? $"the text ends where {(_hasBegun ? "',' or ']'" : "'['")} was expected" : $"{(_hasBegun ? "',' or ']'" : "'['")} was expected");
        _window.Take(1);
    }

    private bool End()
    {
        _window.Take(1);
        if (Peek() >= 0)
            throw Malformed(Offset, "nothing may follow the array");
        _hasEnded = true;
        return false;
    }

    private void SkipByteOrderMark()
    {
        while (_window.Bytes.Length < 3 && !_window.AtEnd)
            _window.Fill();
        if (_window.Bytes is [0xEF, 0xBB, 0xBF, ..])
            _window.Take(3);
    }

    private static InvalidDataException Malformed(long place, string reason) => new($"malformed JSON at byte {place}: {reason}");
}
