using System.Text;
using CsCheck;
using Streaming.Hosting.Text;

namespace Streaming.Hosting.Tests.Text;

public sealed class LineFilterSpec
{
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "<a>")]
    [InlineData("a\n", "<a>")]
    [InlineData("a\n\nb", "<a><><b>")]
    [InlineData("\n\n", "<><>")]
    [InlineData("a\rb\r\nc", "<a\rb\r><c>")]
    [InlineData("a\0b", "<a\0b>")]
    [InlineData("\uFEFFa", "<\uFEFFa>")]
    [InlineData("日本語\n🍣", "<日本語><🍣>")]
    public void Lines_end_at_line_feeds_and_at_the_end(string input, string expected)
        => Assert.Equal(expected, Run(Encoding.UTF8.GetBytes(input), pieceSize: int.MaxValue));

    [Fact]
    public void Bytes_that_are_not_UTF8_are_replaced()
        => Assert.Equal("<a\uFFFDb><\uFFFD\uFFFD><\uFFFD>", Run([(byte)'a', 0xFF, (byte)'b', (byte)'\n', 0xED, 0xA0, (byte)'\n', 0xE3, 0x81], pieceSize: 1));

    [Fact]
    public void It_does_not_matter_in_which_pieces_the_bytes_arrive()
        => Gen.Select(Gen.Char["ab日🍣\n\r\0"].Array[0, 60], Gen.Int[1, 7]).Sample((characters, size) =>
        {
            var bytes = Encoding.UTF8.GetBytes(characters);
            Assert.Equal(Run(bytes, int.MaxValue), Run(bytes, size));
        });

    [Fact]
    public void A_line_of_megabytes_passes()
    {
        var line = string.Concat(Enumerable.Repeat("日本語テキスト", 500_000));
        Assert.Equal($"<{line}><b>", Run(Encoding.UTF8.GetBytes(line + "\nb"), pieceSize: 65_536));
    }

    [Fact]
    public void What_is_ready_is_written_before_more_input_is_waited_for()
    {
        using var output = new MemoryStream();
        var seen = "";
        using var input = new Pieces(Encoding.UTF8.GetBytes("a\nb"), 2, () => seen = Encoding.UTF8.GetString(output.ToArray()));
        LineFilter.Run(input, output, Bracket);
        Assert.Equal("<a>", seen[..3]);
    }

    private static void Bracket(ReadOnlySpan<char> line, LineWriter output)
    {
        output.Write((byte)'<');
        output.Write(line);
        output.Write((byte)'>');
    }

    private static string Run(byte[] bytes, int pieceSize)
    {
        using var output = new MemoryStream();
        using var input = new Pieces(bytes, pieceSize, () => { });
        LineFilter.Run(input, output, Bracket);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    /// <summary>Hands out at most so many bytes a read.</summary>
    private sealed class Pieces(byte[] bytes, int size, Action onRead) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count)
        {
            onRead();
            return base.Read(buffer, offset, Math.Min(size, count));
        }
    }
}
