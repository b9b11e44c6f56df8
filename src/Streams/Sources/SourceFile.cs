namespace Streaming.Streams.Sources;

/// <summary>One file of the text, or standard input.</summary>
/// <param name="Path">As the user may open it; <c>-</c> is standard input.</param>
/// <param name="Length">Bytes as stored; null for what cannot be measured, such as standard input and pipes.</param>
public sealed record SourceFile(string Path, long? Length)
{
    /// <summary>How standard input is named among the sources.</summary>
    public const string StandardInput = "-";

    public bool IsStandardInput => Path == StandardInput;

    /// <summary>How messages name it.</summary>
    public string Name => IsStandardInput ? "standard input" : Path;

    /// <summary>Its bytes as stored, from the start.</summary>
    /// <exception cref="SourceException">It cannot be opened.</exception>
    internal Stream Open()
    {
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
}
