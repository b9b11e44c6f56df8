using System.Text;

namespace Streaming.Hosting.Tests.Commands;

/// <summary>Reads GGUF by the format's description alone.</summary>
internal static class Gguf
{
    /// <summary>Reads a file whose tensors are all float32, by the format's description alone.</summary>
    public static (Dictionary<string, object> Metadata, Dictionary<string, float[]> Tensors) Read(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        Assert.Equal("GGUF", Encoding.ASCII.GetString(reader.ReadBytes(4)));
        Assert.Equal(3u, reader.ReadUInt32());
        var (tensorCount, entries) = (reader.ReadInt64(), reader.ReadInt64());
        string Text() => Encoding.UTF8.GetString(reader.ReadBytes((int)reader.ReadInt64()));
        object Value(uint kind) => kind switch
        {
            0 => reader.ReadByte(),
            4 => reader.ReadUInt32(),
            5 => reader.ReadInt32(),
            6 => reader.ReadSingle(),
            7 => reader.ReadBoolean(),
            8 => Text(),
            9 => List(reader.ReadUInt32(), reader.ReadInt64()),
            _ => throw new InvalidDataException($"kind {kind}"),
        };
        Array List(uint kind, long count) => Enumerable.Range(0, (int)count).Select(_ => Value(kind)).ToArray();
        var metadata = new Dictionary<string, object>();
        for (var i = 0; i < entries; i++)
            metadata.Add(Text(), Value(reader.ReadUInt32()));
        var places = new List<(string Name, long Count, long Offset)>();
        for (var i = 0; i < tensorCount; i++)
        {
            var name = Text();
            long count = 1;
            for (var dimensions = reader.ReadUInt32(); dimensions > 0; dimensions--)
                count *= reader.ReadInt64();
            Assert.Equal(0u, reader.ReadUInt32());
            places.Add((name, count, reader.ReadInt64()));
        }
        var start = (reader.BaseStream.Position + 31) / 32 * 32;
        var tensors = new Dictionary<string, float[]>();
        foreach (var (name, count, offset) in places)
        {
            Assert.Equal(0, offset % 32);
            reader.BaseStream.Position = start + offset;
            tensors[name] = [.. Enumerable.Range(0, (int)count).Select(_ => reader.ReadSingle())];
        }
        Assert.True(reader.BaseStream.Length - reader.BaseStream.Position < 32);
        return (metadata, tensors);
    }
}
