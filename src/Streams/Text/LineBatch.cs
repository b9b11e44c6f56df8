using Streaming.Streams.Sources;
using Streaming.Streams.Splitting;

namespace Streaming.Streams.Text;

/// <summary>
/// What travels through the text path: some 64 KB of lines, which every stage turns into the next form in place. It goes
/// back to its pool at the end of the path.
/// </summary>
internal sealed class LineBatch
{
    /// <summary>The lines as the last stage left them.</summary>
    public TextBatch Lines { get; private set; } = new();

    /// <summary>An empty batch for the next form of the lines; <see cref="Replace"/> makes it <see cref="Lines"/>.</summary>
    public TextBatch Next { get; private set; } = new();

    /// <summary>The lines' tokens, once they have been encoded.</summary>
    public TokenBuffer Tokens { get; } = new();

    /// <summary>Where the first line stood.</summary>
    public SourcePosition Position { get; set; }

    /// <summary>The document that the first line goes on with.</summary>
    public DocumentState Document { get; set; }

    /// <summary>UTF-8 bytes of the lines as they stood in the source, line ends and empty lines included.</summary>
    public long SourceBytes { get; set; }

    /// <summary>When the last stage let go of it, as <see cref="System.Diagnostics.Stopwatch"/> counts.</summary>
    public long HandedOver { get; set; }

    /// <summary>Makes <see cref="Next"/> the lines.</summary>
    public void Replace()
    {
        (Lines, Next) = (Next, Lines);
        Next.Clear();
    }

    public void Clear()
    {
        Lines.Clear();
        Next.Clear();
        Tokens.Clear();
    }
}
