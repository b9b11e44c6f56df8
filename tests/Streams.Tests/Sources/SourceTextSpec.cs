using CsCheck;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources;
using Streaming.Streams.Sources.Http;
using Streaming.Streams.Tests.Compression;
using Streaming.Streams.Tests.Sources.Http;

namespace Streaming.Streams.Tests.Sources;

public sealed class SourceTextSpec : IDisposable
{
    private static readonly byte[] Text = HttpReadStreamSpec.MakeContent(900_000, seed: 3).Select(value => (byte)('a' + value % 23)).ToArray();

    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData(CompressionFormat.Plain)]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Xz)]
    [InlineData(CompressionFormat.Bzip2)]
    [InlineData(CompressionFormat.Zstandard)]
    public void Any_place_of_any_format_is_reached(CompressionFormat format)
    {
        var path = _files.Write("text", Text, format);
        var file = new SourceFile(path, new FileInfo(path).Length) { Decompressors = 2 };
        using var whole = Open(file, default);
        whole.CopyTo(Stream.Null);
        Gen.Int[0, Text.Length].Sample(offset =>
        {
            var near = whole.SeekPointBefore(offset);
            Assert.True(near.Offset <= offset && (near != default) == (format == CompressionFormat.Bzip2 && offset >= 100_000), $"{near} for {offset}");
            using var text = Open(file, SourcePosition.StartOf(0, 0) with { Offset = offset, Near = near });
            var rest = new MemoryStream();
            text.CopyTo(rest);
            Assert.Equal(Text[offset..], rest.ToArray());
        }, iter: 6, threads: 1);
        Assert.Contains("ends before byte", Assert.Throws<SourceException>(
            () => Open(file, SourcePosition.StartOf(0, 0) with { Offset = Text.Length + 1 })).Message);
    }

    [Fact]
    public void The_same_seek_points_are_known_wherever_reading_began()
    {
        var path = _files.Write("text", Text, CompressionFormat.Bzip2);
        var file = new SourceFile(path, null);
        using var whole = Open(file, default);
        whole.CopyTo(Stream.Null);
        var near = whole.SeekPointBefore(650_000);
        using var later = Open(file, SourcePosition.StartOf(0, 0) with { Offset = 650_000, Near = near });
        later.CopyTo(Stream.Null);
        Assert.Equal(whole.SeekPointBefore(650_000), later.SeekPointBefore(650_000));
        Assert.Equal(whole.SeekPointBefore(900_000), later.SeekPointBefore(900_000));
    }

    [Fact]
    public void Deep_in_a_remote_archive_little_of_it_is_fetched()
    {
        var archive = Archives.Compress(CompressionFormat.Bzip2, Text);
        using var server = new HostileServer(archive, (_, _) => new Answer());
        var file = SourceFile.Ask(server.Address, HttpOptions.Default, TestContext.Current.CancellationToken);
        SeekPoint near;
        using (var whole = Open(file, default))
        {
            whole.CopyTo(Stream.Null);
            near = whole.SeekPointBefore(800_000);
        }
        var asked = server.Requests.Count;
        using var text = Open(file, SourcePosition.StartOf(0, 0) with { Offset = 800_000, Near = near });
        Assert.Equal(Text[800_000], text.ReadByte());
        Assert.Equal([0, (int)(near.CompressedBit / 8)], server.Requests.Skip(asked).Select(request => request.RangeStart ?? -1));
    }

    [Theory]
    [InlineData(CompressionFormat.Plain, true)]
    [InlineData(CompressionFormat.Xz, true)]
    [InlineData(CompressionFormat.Gzip, false)]
    [InlineData(CompressionFormat.Bzip2, false)]
    public void The_length_is_known_where_the_file_tells_it(CompressionFormat format, bool isKnown)
    {
        var path = _files.Write("text", Text, format);
        Assert.Equal(isKnown ? Text.Length : null, TextLength.Of(new SourceFile(path, 1)));
        Assert.Null(TextLength.Of(new SourceFile(SourceFile.StandardInput, null)));
    }

    [Fact]
    public void Zstandard_frames_that_tell_their_length_are_added_up()
    {
        using var compressor = new ZstdSharp.Compressor();
        foreach (var length in (int[])[0, 200, 300, 70_000, 900_000])
        {
            byte[] skippable = [0x50, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3];
            byte[] archive = [.. compressor.Wrap(Text.AsSpan(0, length)), .. skippable, .. compressor.Wrap(Text.AsSpan(0, 1000))];
            Assert.Equal(length + 1000, TextLength.Of(new SourceFile(_files.Write("a.zst", archive), 1)));
            Assert.Null(TextLength.Of(new SourceFile(_files.Write("a.zst", archive[..^5]), 1)));
        }
        var withoutLength = _files.Write("b.zst", Text, CompressionFormat.Zstandard);
        Assert.Null(TextLength.Of(new SourceFile(withoutLength, 1)));
    }

    [Fact]
    public void What_is_compressed_twice_is_refused()
    {
        var path = _files.Write("text", Archives.Compress(CompressionFormat.Gzip, Text), CompressionFormat.Bzip2);
        Assert.Contains("compressed twice", Assert.Throws<SourceException>(() => Open(new SourceFile(path, 1), default)).Message);
    }

    [Fact]
    public void A_page_in_place_of_an_archive_is_refused()
    {
        using var server = new HostileServer("<html>Sorry</html>"u8.ToArray(), (_, _) => new Answer());
        var file = new SourceFile(server.Address.Replace("txt", "txt.xz"), null);
        Assert.Contains("page of markup", Assert.Throws<SourceException>(() => Open(file, default)).Message);
    }

    private static SourceText Open(SourceFile file, SourcePosition start) => SourceText.Open(file, start, TestContext.Current.CancellationToken);

    [Fact]
    public void Damage_anywhere_is_one_sentence_or_the_text_unharmed() =>
        Gen.Select(Gen.Enum<CompressionFormat>(), Gen.Int[10, 2000], Gen.Int[0, 7], Gen.Int[0, 3]).Sample((format, place, bit, kind) =>
        {
            var archive = Archives.Compress(format, Text.AsSpan(0, 40_000));
            var random = HttpReadStreamSpec.MakeContent(5000, place);
            if (kind == 0)
                archive[place] ^= (byte)(1 << bit);
            byte[] bytes = kind switch { 0 => archive, 1 => archive[..place], 2 => [.. archive.AsSpan(0, 20), .. random], _ => random };
            var path = Path.Combine(_files.Folder, "damaged");
            File.WriteAllBytes(path, bytes);
            try
            {
                using var text = Open(new SourceFile(path, bytes.Length) { Decompressors = 2 }, default);
                text.CopyTo(Stream.Null);
            }
            catch (SourceException exception)
            {
                Assert.StartsWith(path, exception.Message);
            }
            catch (Exception exception)
            {
                Assert.DoesNotContain("   at ", SourceText.Unreadable(new SourceFile(path, 1), default, exception).Message);
                Assert.True(exception is InvalidDataException or EndOfStreamException or ZstdSharp.ZstdException, exception.ToString());
            }
        }, iter: 150, threads: 1);
}
