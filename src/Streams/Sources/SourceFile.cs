using Streaming.Streams.Sources.Http;

namespace Streaming.Streams.Sources;

/// <summary>One file of the text, on this machine or on a web server, or standard input.</summary>
/// <param name="Path">As the user named it: a path, a URL, or <c>-</c> for standard input. A URL's credentials are in it: show <see cref="Name"/>.</param>
/// <param name="Length">Bytes as stored; null for what cannot be measured, such as standard input and pipes.</param>
public sealed record SourceFile(string Path, long? Length)
{
    /// <summary>How standard input is named among the sources.</summary>
    public const string StandardInput = "-";

    public bool IsStandardInput => Path == StandardInput;

    /// <summary>Whether it is read from a web server.</summary>
    public bool IsRemote => HttpAddress.IsHttp(Path);

    /// <summary>How messages name it.</summary>
    public string Name => IsStandardInput ? "standard input" : IsRemote ? HttpAddress.Parse(Path).Name : Path;

    /// <summary>Its name without folders, by which a cursor recognises it; <c>-</c> for standard input.</summary>
    public string FileName => IsRemote ? HttpAddress.Parse(Path).FileName : IsStandardInput ? Path : System.IO.Path.GetFileName(Path);

    /// <summary>Which state of a remote file is read: another one is an error. Null where any is.</summary>
    public RemoteVersion? Version { get; init; }

    /// <summary>How it is read where it is remote.</summary>
    public HttpOptions Http { get; init; } = HttpOptions.Default;

    /// <summary>Blocks of an archive that are decompressed at once at most; no effect on the text.</summary>
    public int Decompressors { get; init; } = Math.Min(6, Environment.ProcessorCount);

    public override string ToString() => Name;

    /// <summary>Its bytes as stored, from the start.</summary>
    /// <param name="stop">Ends the waiting for a server with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="SourceException">It cannot be opened.</exception>
    internal Stream Open(CancellationToken stop = default)
    {
        if (IsRemote)
            return OpenRemote(stop);
        try
        {
            return IsStandardInput
                ? Console.OpenStandardInput()
                : new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.SequentialScan);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new SourceException($"{Path} is no longer there; restore it or take it out of the sources.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SourceException($"{Path} cannot be opened ({exception.Message.TrimEnd('.')}); check its permissions.", exception);
        }
    }

    private Stream OpenRemote(CancellationToken stop)
    {
        var address = HttpAddress.Parse(Path);
        if (Http.CacheFolder is not null)
            return CachedHttpStream.Open(address, Http, Version, stop);
        var stream = new HttpReadStream(address, Http, Version, stop);
        try
        {
            stream.Connect();
            return stream;
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }

    /// <summary>A remote file as its server, or the cache, describes it now.</summary>
    /// <exception cref="SourceException">The server does not answer, or has no such file.</exception>
    internal static SourceFile Ask(string url, HttpOptions options, CancellationToken stop = default)
    {
        var address = HttpAddress.Parse(url);
        var version = options.CacheFolder is { } folder ? CachedHttpStream.CompleteVersion(address, folder) : null;
        if (version is null)
        {
            using var stream = new HttpReadStream(address, options, null, stop);
            stream.Connect();
            version = stream.Version;
        }
        return new SourceFile(url, version.Length) { Version = version, Http = options };
    }
}
