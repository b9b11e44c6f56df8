using System.Text.Unicode;
using Streaming.Streams.Text;

namespace Streaming.Streams.Wikipedia;

/// <summary>An article as plain text. One object serves page after page.</summary>
public sealed class WikiPage
{
    private char[] _title = new char[256];
    private int _titleLength;

    /// <summary>The page's number in its wiki; 0 where the dump has none.</summary>
    public long Id { get; internal set; }

    /// <summary>The title; valid until the next page.</summary>
    public ReadOnlySpan<char> Title => _title.AsSpan(0, _titleLength);

    /// <summary>The lines of its text. Never empty lines.</summary>
    public TextBatch Lines { get; } = new();

    internal void SetTitle(ReadOnlySpan<byte> title)
    {
        if (_title.Length < title.Length)
            _title = new char[title.Length * 2];
        Utf8.ToUtf16(title, _title, out _, out _titleLength);
    }
}
