using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Tests.Compression;

namespace Streaming.Streams.Tests;

/// <summary>A folder of text files for one test.</summary>
internal sealed class TextFiles : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("streaming-tests-").FullName;

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes, CompressionFormat format = CompressionFormat.Plain)
    {
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, Archives.Compress(format, bytes));
        return path;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
