using System.Buffers;
using System.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>Bytes to characters, each as soon as it is whole. One for each text; not thread-safe.</summary>
/// <param name="oneForEachByte">Of what is no UTF-8 each byte shows U+FFFD; else each longest beginning of a character does.</param>
internal sealed class ByteCharacters(bool oneForEachByte)
{
    private readonly byte[] _bytes = new byte[4];
    private int _count;

    public bool HoldsBack => _count > 0;

    public void Append(byte value, CharacterBuffer text)
    {
        _bytes[_count++] = value;
        Flush(text, atEnd: false);
    }

    public void Finish(CharacterBuffer text) => Flush(text, atEnd: true);

    private void Flush(CharacterBuffer text, bool atEnd)
    {
        var bytes = _bytes.AsSpan(0, _count);
        Span<char> utf16 = stackalloc char[2];
        while (!bytes.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(bytes, out var character, out var consumed);
            if (status == OperationStatus.NeedMoreData && !atEnd)
                break;
            if (status != OperationStatus.Done && oneForEachByte)
                consumed = 1;
            text.Append(utf16[..character.EncodeToUtf16(utf16)]); // U+FFFD where there is no character
            bytes = bytes[consumed..];
        }
        bytes.CopyTo(_bytes);
        _count = bytes.Length;
    }
}
