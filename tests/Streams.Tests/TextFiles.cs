using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Tests.Compression;

namespace Streaming.Streams.Tests;

/// <summary>A folder of text files for one test.</summary>
internal sealed class TextFiles : IDisposable
{
    private readonly List<IDisposable> _owned = [];

    public string Folder { get; } = Directory.CreateTempSubdirectory("streaming-tests-").FullName;

    public string Write(string name, string text) => Write(name, Encoding.UTF8.GetBytes(text));

    public string Write(string name, byte[] bytes, CompressionFormat format = CompressionFormat.Plain)
    {
        var path = Path.Combine(Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, Archives.Compress(format, bytes));
        return path;
    }

    /// <summary>Disposes of something together with the files.</summary>
    public T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    public void Dispose()
    {
        _owned.ForEach(owned => owned.Dispose());
        Directory.Delete(Folder, recursive: true);
    }
}
