using CsCheck;
using Streaming.Streams.Compression;

namespace Streaming.Streams.Tests.Compression;

public sealed class XzReadStreamSpec
{
    /// <summary>Two streams of blocks whose headers tell their sizes, as several threads write them.</summary>
    private static readonly byte[] Threads = Archives.Sample("threads.xz");

    [Theory]
    [InlineData("threads.xz")]
    [InlineData("blocks.xz")]
    [InlineData("streams-and-checks.xz")]
    [InlineData("contexts.xz")]
    public void Reading_begins_at_the_block_that_the_index_names(string name)
    {
        var archive = Archives.Sample(name);
        var index = XzIndex.Read(new MemoryStream(archive));
        Assert.Equal(Archives.SampleText.Length, index!.UncompressedLength);
        Gen.Int[0, Archives.SampleText.Length - 1].Sample(offset =>
        {
            var place = index.BlockAt(offset)!;
            Assert.InRange(place.Offset, 0, offset);
            using var stream = new XzReadStream(new InputBuffer(new MemoryStream(archive) { Position = place.Start }), workers: 2, place);
            using var rest = new MemoryStream();
            stream.CopyTo(rest);
            Assert.Equal(Archives.SampleText[(int)place.Offset..], rest.ToArray());
        }, iter: 20, threads: 1);
    }

    [Fact]
    public void The_index_names_a_block_near_any_place() =>
        Assert.InRange(XzIndex.Read(new MemoryStream(Threads))!.BlockAt(19_000)!.Offset, 18_000, 19_000);

    [Fact]
    public void Damaged_and_cut_archives_fail_in_the_same_way_on_any_number_of_workers() =>
        Gen.Select(Gen.Int[12, Threads.Length - 1], Gen.Int[0, 7], Gen.Bool).Sample((place, bit, cuts) =>
        {
            var damaged = cuts ? Threads[..place] : [.. Threads];
            if (!cuts)
                damaged[place] ^= (byte)(1 << bit);
            var serial = Describe(damaged, 1);
            var parallel = Describe(damaged, 3);
            // A header that tells wrong sizes misleads only those who rely on it.
            Assert.True(serial == parallel || (serial.Contains("InvalidData") && parallel.Contains("Exception")), $"{serial} / {parallel}");
        }, iter: 200, threads: 1);

    [Fact]
    public void A_damaged_index_is_no_index()
    {
        for (var place = Threads.Length - 12; place < Threads.Length; place++)
        {
            var damaged = (byte[])Threads.Clone();
            damaged[place] ^= 1;
            Assert.Null(XzIndex.Read(new MemoryStream(damaged)));
        }
        Assert.Null(XzIndex.Read(new MemoryStream(new byte[64])));
        Gen.Byte.Array[24, 200].Sample(bytes => Assert.Null(XzIndex.Read(new MemoryStream([.. bytes, 0, .. "YZ"u8]))), iter: 200, threads: 1);
    }

    private static string Describe(byte[] archive, int workers)
    {
        using var text = new MemoryStream();
        try
        {
            using var stream = new XzReadStream(new InputBuffer(new MemoryStream(archive)), workers);
            stream.CopyTo(text, 1000);
            return $"{text.Length} bytes";
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException)
        {
            return $"{text.Length} bytes, then {exception.GetType().Name}: {exception.Message}";
        }
    }
}
