using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Streaming.Streams.Compression;
using Streaming.Tests;

namespace Streaming.Streams.Tests.Compression;

public sealed class CompressionFormatsSpec
{
    private static readonly byte[] First = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 40).Select(i => $"{i}番。")));
    private static readonly byte[] Second = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 30).Select(i => $"{i * i}号。")));

    public static TheoryData<CompressionFormat> Compressed =>
        [CompressionFormat.Gzip, CompressionFormat.Xz, CompressionFormat.Bzip2, CompressionFormat.Zstandard];

    [Theory]
    [InlineData("streams-and-checks.xz")]
    [InlineData("blocks.xz")]
    [InlineData("threads.xz")]
    [InlineData("contexts.xz")]
    [InlineData("streams.bz2")]
    public void Archives_of_the_reference_tools_are_read_in_full(string name)
    {
        Assert.Equal(Archives.SampleText, Archives.Read(Archives.Sample(name)));
        Assert.Equal(Archives.SampleText, Archives.Read(Archives.Sample(name), view: 16));
        Assert.Equal(Archives.SampleText, Archives.Read(Archives.Sample(name), view: 200, workers: 3));
    }

    [Theory]
    [MemberData(nameof(Compressed))]
    public void Archives_that_follow_each_other_in_one_file_are_read_as_one(CompressionFormat format)
    {
        byte[] archive = [.. Archives.Compress(format, First), .. Archives.Compress(format, []), .. Archives.Compress(format, Second)];
        Assert.Equal([.. First, .. Second], Archives.Read(archive, view: 16));
    }

    [Theory]
    [MemberData(nameof(Compressed))]
    public void An_archive_that_is_cut_anywhere_is_an_error(CompressionFormat format)
    {
        var first = Archives.Compress(format, First);
        byte[] archive = [.. first, .. Archives.Compress(format, Second)];
        // Below ten bytes a file is too short to be told from text; at the seam the first archive is whole.
        for (var length = 10; length < archive.Length; length++)
            if (length != first.Length)
                Assert.ThrowsAny<Exception>(() => Archives.Read(archive[..length]));
        Assert.Equal(First, Archives.Read(first));
    }

    [Theory]
    [InlineData("streams-and-checks.xz")]
    [InlineData("streams.bz2")]
    public void A_cut_archive_of_the_reference_tools_is_an_error(string name)
    {
        var archive = Archives.Sample(name);
        for (var length = 10; length < archive.Length; length += 97)
            if (!(name.EndsWith("xz") && archive.AsSpan(0, length).EndsWith("YZ"u8)))
                Assert.ThrowsAny<EndOfStreamException>(() => Archives.Read(archive[..length]));
    }

    [Theory]
    [MemberData(nameof(Compressed))]
    public void A_changed_byte_never_changes_the_text_silently(CompressionFormat format)
    {
        byte[] archive = [.. Archives.Compress(format, First), .. Archives.Compress(format, Second)];
        byte[] text = [.. First, .. Second];
        for (var index = 10; index < archive.Length; index++)
        {
            var damaged = archive.ToArray();
            damaged[index] ^= 0x10;
            AssertTextOrError(text, damaged);
        }
    }

    [Theory]
    [InlineData("blocks.xz")]
    [InlineData("threads.xz")]
    [InlineData("contexts.xz")]
    [InlineData("streams.bz2")]
    public void A_changed_byte_in_an_archive_of_the_reference_tools_never_changes_the_text_silently(string name)
    {
        var archive = Archives.Sample(name);
        for (var index = 10; index < archive.Length; index += 41)
        {
            var damaged = archive.ToArray();
            damaged[index] ^= (byte)(1 << (index % 8));
            AssertTextOrError(Archives.SampleText, damaged);
        }
    }

    [Theory]
    [MemberData(nameof(Compressed))]
    public void Bytes_after_the_end_of_an_archive_are_an_error(CompressionFormat format)
    {
        byte[] archive = [.. Archives.Compress(format, First), .. "tail"u8];
        Assert.ThrowsAny<Exception>(() => Archives.Read(archive));
    }

    [Fact]
    public void Zeros_may_pad_gzip_and_xz()
    {
        Assert.Equal(First, Archives.Read([.. Archives.Compress(CompressionFormat.Gzip, First), 0, 0, 0]));
        Assert.Equal(First, Archives.Read([.. Archives.Compress(CompressionFormat.Xz, First), 0, 0, 0, 0]));
        Assert.Throws<InvalidDataException>(() => Archives.Read([.. Archives.Compress(CompressionFormat.Xz, First), 0, 0, 0]));
    }

    [Fact]
    public void Gzip_headers_may_carry_names_comments_extras_and_checks()
    {
        byte[] header = [0x1F, 0x8B, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 2, 0, 7, 7, (byte)'n', 0, (byte)'c', 0];
        var check = ReflectedCrc.Crc32.Append(0, header);
        byte[] archive = [.. header, (byte)check, (byte)(check >> 8), .. Archives.Compress(CompressionFormat.Gzip, First).AsSpan(10)];
        Assert.Equal(First, Archives.Read(archive, view: 16));
        archive[14] = (byte)'m';
        Assert.Throws<InvalidDataException>(() => Archives.Read(archive));
    }

    [Theory]
    [InlineData("")]
    [InlineData("B")]
    [InlineData("BZh9 is how bzip2 files start")]
    [InlineData("PK is no archive")]
    [InlineData("吾輩は猫である")]
    public void Text_is_taken_for_text(string text) =>
        Assert.Equal(Encoding.UTF8.GetBytes(text), Archives.Read(Encoding.UTF8.GetBytes(text), view: 16));

    [Fact]
    public void An_archive_of_another_kind_is_refused_by_name()
    {
        var exception = Assert.Throws<InvalidDataException>(() => Archives.Read([.. "PK\u0003\u0004"u8, 20, 0, 0, 0, 8, 0]));
        Assert.Contains("zip archive", exception.Message);
    }

    [Fact]
    public void Megabytes_of_prose_come_out_of_xz_as_the_reference_tool_unpacks_them()
    {
        using var file = File.OpenRead(ReferenceData.Path("corpus/aozora-01.txt.xz"));
        using var text = new XzReadStream(new InputBuffer(file));
        var started = Stopwatch.GetTimestamp();
        var hash = Convert.ToHexStringLower(SHA256.HashData(text));
        TestContext.Current.SendDiagnosticMessage($"{26 / Stopwatch.GetElapsedTime(started).TotalSeconds:F1} MB/s");
        Assert.Equal("39014052921b504cedc57dd7d0f797f77e1153199e2e4265de5756abd1ec4480", hash);
    }

    /// <summary>A change in a field that means nothing (a time stamp, a file name) leaves the text whole.</summary>
    private static void AssertTextOrError(byte[] expected, byte[] archive)
    {
        byte[] text;
        try
        {
            text = Archives.Read(archive);
        }
        catch (Exception exception) when (exception is IOException or InvalidDataException or ZstdSharp.ZstdException)
        {
            return;
        }
        Assert.Equal(expected, text);
    }
}
