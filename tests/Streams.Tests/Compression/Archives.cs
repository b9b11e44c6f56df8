using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using ICSharpCode.SharpZipLib.BZip2;
using Streaming.Streams.Compression;

namespace Streaming.Streams.Tests.Compression;

/// <summary>Makes archives of every format that is read, and reads them back through the code under test.</summary>
internal static class Archives
{
    /// <summary>The text inside every archive in <c>Samples</c>; xz 5.4 and bzip2 1.0.8 wrote them.</summary>
    public static byte[] SampleText { get; } = Encoding.UTF8.GetBytes(
        string.Concat(Enumerable.Range(0, 1000).Select(i => $"{i}行目、{i * i}と{i * 7919 % 1009}。\n")));

    public static byte[] Sample(string name)
    {
        using var resource = typeof(Archives).Assembly.GetManifestResourceStream(name)!;
        var bytes = new byte[resource.Length];
        resource.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>One archive of the text: a gzip member, an xz or bzip2 stream, a zstd frame.</summary>
    public static byte[] Compress(CompressionFormat format, ReadOnlySpan<byte> text)
    {
        if (format == CompressionFormat.Xz)
            return CompressXz(text);
        using var archive = new MemoryStream();
        Stream? writer = format switch
        {
            CompressionFormat.Gzip => new GZipStream(archive, CompressionLevel.Fastest),
            CompressionFormat.Bzip2 => new BZip2OutputStream(archive, 1),
            CompressionFormat.Zstandard => CreateZstandardWriter(archive),
            _ => null,
        };
        if (writer is null)
            return text.ToArray();
        using (writer)
            writer.Write(text);
        return archive.ToArray();
    }

    /// <summary>The uncompressed bytes, read through a view of a few bytes so that every field crosses its edges.</summary>
    public static byte[] Read(byte[] archive, int view = 1 << 16, int workers = 1)
    {
        var input = new InputBuffer(new MemoryStream(archive), view);
        using var stream = CompressionFormats.Open(input, CompressionFormats.Detect(input), workers);
        using var text = new MemoryStream();
        stream.CopyTo(text, 4096);
        return text.ToArray();
    }

    private static ZstdSharp.CompressionStream CreateZstandardWriter(Stream archive)
    {
        var writer = new ZstdSharp.CompressionStream(archive);
        writer.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        return writer;
    }

    /// <summary>An xz stream with one block of LZMA2 chunks that are stored, not compressed.</summary>
    private static byte[] CompressXz(ReadOnlySpan<byte> text)
    {
        using var archive = new MemoryStream();
        byte[] flags = [0, 4];
        archive.Write(XzReadStream.Magic);
        archive.Write(flags);
        WriteCheck(archive, flags);

        byte[] blockHeader = [2, 0, 0x21, 1, 0, 0, 0, 0];
        archive.Write(blockHeader);
        WriteCheck(archive, blockHeader);
        var start = archive.Length;
        for (var offset = 0; offset < text.Length; offset += 1 << 16)
        {
            var chunk = text.Slice(offset, Math.Min(1 << 16, text.Length - offset));
            archive.Write([(byte)(offset == 0 ? 1 : 2), (byte)((chunk.Length - 1) >> 8), (byte)(chunk.Length - 1)]);
            archive.Write(chunk);
        }
        archive.WriteByte(0);
        var unpadded = 12 + archive.Length - start + 8;
        while (archive.Length % 4 != 0)
            archive.WriteByte(0);
        var check = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(check, ReflectedCrc.Crc64.Append(0, text));
        archive.Write(check);

        var index = new List<byte> { 0, 1 };
        AddNumber(index, unpadded);
        AddNumber(index, text.Length);
        while (index.Count % 4 != 0)
            index.Add(0);
        archive.Write(index.ToArray());
        WriteCheck(archive, [.. index]);

        var footer = new byte[6];
        BinaryPrimitives.WriteInt32LittleEndian(footer, (index.Count + 4) / 4 - 1);
        footer[5] = 4;
        WriteCheck(archive, footer);
        archive.Write(footer);
        archive.Write("YZ"u8);
        return archive.ToArray();
    }

    private static void AddNumber(List<byte> bytes, long number)
    {
        for (; number >= 0x80; number >>= 7)
            bytes.Add((byte)(number | 0x80));
        bytes.Add((byte)number);
    }

    private static void WriteCheck(Stream archive, ReadOnlySpan<byte> data)
    {
        Span<byte> check = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(check, (uint)ReflectedCrc.Crc32.Append(0, data));
        archive.Write(check);
    }
}
