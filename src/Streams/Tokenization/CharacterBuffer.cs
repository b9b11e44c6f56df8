namespace Streaming.Streams.Tokenization;

/// <summary>A growing text whose storage is reused. Not thread-safe.</summary>
internal sealed class CharacterBuffer
{
    private char[] _characters = new char[256];

    public int Length { get; private set; }

    public ReadOnlySpan<char> Span => _characters.AsSpan(0, Length);

    public void Append(char character)
    {
        if (Length == _characters.Length)
            Array.Resize(ref _characters, Length * 2);
        _characters[Length++] = character;
    }

    public void Append(ReadOnlySpan<char> text)
    {
        if (_characters.Length - Length < text.Length)
            Array.Resize(ref _characters, Math.Max(Length + text.Length, _characters.Length * 2));
        text.CopyTo(_characters.AsSpan(Length));
        Length += text.Length;
    }

    public void Truncate(int length) => Length = length;

    public void Clear() => Length = 0;
}
