using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using CsCheck;
using Streaming.Streams.Compression;
using Streaming.Tests;

namespace Streaming.Streams.Tests.Compression;

public sealed class Bzip2ReadStreamSpec
{
    /// <summary>Three streams of blocks of 100 KB.</summary>
    private static readonly byte[] Text = MakeText(700_000), Archive = Compress(Text, 250_000);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Any_number_of_workers_reads_the_same(int workers)
    {
        Assert.Equal(Text, Archives.Read(Archive, workers: workers));
        Assert.Equal(Text, Archives.Read(Archive, view: 16, workers));
        Assert.Equal(Archives.SampleText, Archives.Read(Archives.Sample("streams.bz2"), view: 16, workers));
    }

    [Fact]
    public void A_block_that_grows_a_millionfold_comes_out_piece_by_piece()
    {
        var archive = Convert.FromBase64String(
            "QlpoOTFBWSZTWQ4J4t8BX45AAMAAAAggADCATUZCoCWpCoCXMUFZJlNZpertMgBsAOAAwAAAEAAIIAAwzAUppoAKWwgBS8XckU4UJC5+SiMA");
        using var zeros = new Bzip2ReadStream(new InputBuffer(new MemoryStream(archive)), workers: 3);
        var buffer = new byte[1 << 16];
        var length = 0;
        for (int read; (read = zeros.Read(buffer)) > 0; length += read)
            Assert.False(buffer.AsSpan(0, read).ContainsAnyExcept((byte)0));
        Assert.Equal(60_000_000, length);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_magic_number_within_a_block_is_no_block(int workers)
    {
        for (var shift = 0; shift < 8; shift++)
        {
            var first = WithMagicNumberInside(Text.AsSpan(0, 50_000), shift);
            Assert.Equal(Text[..50_000], Archives.Read(first, workers: workers));
            byte[] archive = [.. first, .. Archive];
            Assert.Equal([.. Text.AsSpan(0, 50_000), .. Text], Archives.Read(archive, view: 512, workers));
        }
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Damaged_and_cut_archives_fail_in_the_same_way_on_any_number_of_workers(int workers)
    {
        var damages = Gen.Select(Gen.Int[4, Archive.Length - 1], Gen.Int[0, 7], Gen.Bool);
        damages.Sample((place, bit, cuts) =>
        {
            var damaged = cuts ? Archive[..place] : [.. Archive];
            if (!cuts)
                damaged[place] ^= (byte)(1 << bit);
            Assert.Equal(Describe(damaged, 1), Describe(damaged, workers));
        }, iter: 40, threads: 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Reading_begins_at_any_seek_point(int workers)
    {
        using var whole = new Bzip2ReadStream(new InputBuffer(new MemoryStream(Archive)), workers);
        whole.CopyTo(Stream.Null);
        Assert.Equal(default, whole.SeekPointBefore(10));
        for (var offset = 0; offset < Text.Length; offset += 90_000)
        {
            var point = whole.SeekPointBefore(offset);
            Assert.InRange(point.Offset, 0, offset);
            var archive = new MemoryStream(Archive) { Position = point.CompressedBit / 8 };
            using var stream = new Bzip2ReadStream(new InputBuffer(archive), workers, point);
            using var rest = new MemoryStream();
            stream.CopyTo(rest);
            Assert.Equal(Text[(int)point.Offset..], rest.ToArray());
        }
        Assert.NotEqual(default, whole.SeekPointBefore(Text.Length));
    }

    [Fact]
    public void A_place_that_is_no_block_is_refused()
    {
        using var stream = new Bzip2ReadStream(new InputBuffer(new MemoryStream(Archive[100..])), 2, new SeekPoint(801, 5));
        Assert.Throws<InvalidDataException>(() => stream.CopyTo(Stream.Null));
    }

    [Fact]
    public void Random_bytes_behind_a_header_are_refused_in_little_time()
    {
        byte[] archive = [.. Archive.AsSpan(0, 10), .. RandomNumberGenerator.GetBytes(9_000_000)];
        Assert.ThrowsAny<Exception>(() => Archives.Read(archive, workers: 4));
    }

    [Fact]
    public void An_archive_full_of_magic_numbers_is_refused_in_little_time()
    {
        var archive = new byte[3_000_000];
        Archive.AsSpan(0, 10).CopyTo(archive);
        for (var place = 4; place + 6 <= archive.Length; place += 6)
            Archive.AsSpan(4, 6).CopyTo(archive.AsSpan(place));
        var began = Stopwatch.GetTimestamp();
        Assert.ThrowsAny<Exception>(() => Archives.Read(archive, workers: 4));
        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void A_dump_of_wikipedia_comes_out_as_the_reference_tool_unpacks_it()
    {
        using var file = File.OpenRead(ReferenceData.Path("wikipedia/enwiki-sample.xml.bz2"));
        using var text = new Bzip2ReadStream(new InputBuffer(file), workers: 3);
        Assert.Equal("34c1c63050c87cc8477b9ae36b1cb0edf372612c92938b742e579a7109c20fa4", Convert.ToHexStringLower(SHA256.HashData(text)));
    }

    private static string Describe(byte[] archive, int workers)
    {
        using var text = new MemoryStream();
        try
        {
            using var stream = new Bzip2ReadStream(new InputBuffer(new MemoryStream(archive)), workers);
            stream.CopyTo(text, 1000);
            return $"{text.Length} bytes";
        }
        catch (Exception exception)
        {
            return $"{text.Length} bytes, then {exception.GetType().Name}: {exception.Message}";
        }
    }

    /// <summary>
    /// An archive whose block has more selectors than it needs, as some writers leave them; their bits are the magic number
    /// of a block, at another place within a byte for each <paramref name="shift"/>.
    /// </summary>
    private static byte[] WithMagicNumberInside(ReadOnlySpan<byte> text, int shift)
    {
        const string magic = "001100010100000101011001001001100101001101011001";
        var bits = string.Concat(Archives.Compress(CompressionFormat.Bzip2, text).Select(value => value.ToString("b8")));
        var place = 32 + 48 + 32 + 1 + 24;
        place += 16 + 16 * bits.Substring(place, 16).Count(bit => bit == '1');
        Assert.True(Convert.ToInt32(bits.Substring(place, 3), 2) >= 3, "selectors of two ones need three tables");
        place += 3;
        var count = Convert.ToInt32(bits.Substring(place, 15), 2);
        var end = place + 15;
        for (var selector = 0; selector < count; end++)
            if (bits[end] == '0')
                selector++;
        var more = new string('0', shift) + magic + "0";
        var changed = bits[..place] + Convert.ToString(count + more.Count(bit => bit == '0'), 2).PadLeft(15, '0') + bits[(place + 15)..end] + more + bits[end..];
        changed = changed[..(changed.LastIndexOf("000101110111001001000101001110000101000010010000", StringComparison.Ordinal) + 80)];
        return [.. changed.Chunk(8).Select(eight => Convert.ToByte(new string(eight).PadRight(8, '0'), 2))];
    }

    private static byte[] MakeText(int length)
    {
        var random = new Random(5);
        var text = new StringBuilder();
        while (text.Length < length)
            text.Append((char)('a' + random.Next(26))).Append(random.Next(4) == 0 ? "streaming " : "").Append(random.Next(1000));
        return Encoding.ASCII.GetBytes(text.ToString(0, length));
    }

    private static byte[] Compress(byte[] text, int bytesAStream)
    {
        var archive = new List<byte>();
        for (var start = 0; start < text.Length; start += bytesAStream)
            archive.AddRange(Archives.Compress(CompressionFormat.Bzip2, text.AsSpan(start, Math.Min(bytesAStream, text.Length - start))));
        return [.. archive];
    }
}
