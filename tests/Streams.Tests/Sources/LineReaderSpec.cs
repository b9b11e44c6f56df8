using System.Text;
using CsCheck;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Sources;

public sealed class LineReaderSpec
{
    [Theory]
    [InlineData("", new string[0])]
    [InlineData("\n", new[] { "" })]
    [InlineData("一\n二", new[] { "一", "二" })]
    [InlineData("一\r\n二\r\n", new[] { "一", "二" })]
    [InlineData("一\n\n二\n", new[] { "一", "", "二" })]
    [InlineData("a\rb\n", new[] { "a\rb" })]
    [InlineData("a\0b\n\0\n", new[] { "a\0b", "\0" })]
    [InlineData("\uFEFF一\n\uFEFF二\n", new[] { "一", "\uFEFF二" })]
    [InlineData("a\u2028b\u0085c\n", new[] { "a\u2028b\u0085c" })]
    public void Lines_end_with_line_feeds(string text, string[] expected) =>
        Assert.Equal(expected, Lines(Encoding.UTF8.GetBytes(text)).Lines);

    [Fact]
    public void Each_invalid_sequence_becomes_one_replacement_character_and_its_bytes_are_counted()
    {
        // A stray continuation, a cut three-byte sequence, a surrogate in UTF-8 (three bytes, none of which may stand so), a cut end.
        byte[] text = [.. "a"u8, 0x80, .. "b"u8, 0xE3, 0x81, .. "c"u8, 0xED, 0xA0, 0x80, (byte)'\n', 0xF0, 0x9F, 0x98];
        var (lines, reader) = Lines(text);
        Assert.Equal(["a\uFFFDb\uFFFDc\uFFFD\uFFFD\uFFFD", "\uFFFD"], lines);
        Assert.Equal(1 + 2 + 3 + 3, reader.InvalidBytes);
    }

    [Fact]
    public void Any_bytes_read_in_any_pieces_give_what_the_whole_text_decodes_to()
    {
        var bytes = Gen.OneOf<byte>((byte)'\n', (byte)'\r', (byte)'a', 0, 0xE3, 0x81, 0x82, 0xF0, 0x9F, 0x98, 0x80, 0xEF, 0xBB, 0xBF, 0xFF, 0xC3).Array[0, 60];
        Gen.Select(bytes, Gen.Int[1, 7]).Sample((text, piece) =>
        {
            var (lines, reader) = Lines(text, piece);
            Assert.Equal(text.Length, reader.Offset);
            Assert.Equal(Expected(text), lines);
        }, iter: 2000);
    }

    [Fact]
    public void A_line_of_megabytes_passes()
    {
        var longLine = new string('猫', 3_000_000);
        Assert.Equal(["一", longLine, "二"], Lines(Encoding.UTF8.GetBytes($"一\n{longLine}\n二\n")).Lines);
    }

    [Fact]
    public void A_line_past_the_limit_is_cut_between_characters_wherever_reading_starts()
    {
        var text = Encoding.UTF8.GetBytes(new string('猫', LineReader.LongestLine / 3 + 10) + "\n終\n");
        var (lines, reader) = Lines(text);
        Assert.Equal(3, lines.Count);
        Assert.Equal(new string('猫', 10), lines[1]);
        Assert.Equal("終", lines[2]);
        Assert.Equal(1, reader.CutLines);

        var secondPiece = LineReader.LongestLine / 3 * 3;
        Assert.Equal(lines[1..], Lines(text[secondPiece..], offset: secondPiece).Lines);
    }

    private static List<string> Expected(byte[] text)
    {
        var body = text.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? text[3..] : text;
        var lines = Encoding.UTF8.GetString(body).Split('\n').ToList();
        if (lines[^1].Length == 0 && !(lines.Count == 1 && text.Length > 0))
            lines.RemoveAt(lines.Count - 1);
        return [.. lines.Select(line => line.EndsWith('\r') ? line[..^1] : line)];
    }

    private static (List<string> Lines, LineReader Reader) Lines(byte[] text, int piece = int.MaxValue, long offset = 0)
    {
        var reader = new LineReader(new Pieces(text, piece), offset);
        var batch = new TextBatch();
        var lines = new List<string>();
        while (reader.Read(batch))
        {
            lines.Add(batch[0].ToString());
            batch.Clear();
        }
        return (lines, reader);
    }

    /// <summary>Gives a few bytes a read.</summary>
    private sealed class Pieces(byte[] bytes, int piece) : ForwardStream
    {
        private int _position;

        public override int Read(Span<byte> buffer)
        {
            var count = Math.Min(Math.Min(piece, buffer.Length), bytes.Length - _position);
            bytes.AsSpan(_position, count).CopyTo(buffer);
            _position += count;
            return count;
        }
    }
}
