using Streaming.Streams.Records;

namespace Streaming.Streams.Sources;

/// <summary>The files of one source, and the order in which an epoch reads them.</summary>
/// <param name="files">As listed.</param>
/// <param name="formats">What each holds.</param>
internal sealed class SourceFiles(IReadOnlyList<SourceFile> files, IReadOnlyList<IRecordFormat> formats)
{
    public int Count => files.Count;

    public SourceFile this[int index] => files[index];

    /// <summary>Some of the files, for messages.</summary>
    public string Names => string.Join(", ", files.Take(3).Select(file => file.Name)) + (files.Count > 3 ? ", …" : "");

    /// <summary>What the file holds.</summary>
    public IRecordFormat FormatOf(int file) => formats[file];

    /// <summary>Where an epoch begins.</summary>
    public SourcePosition StartOf(long epoch) => SourcePosition.StartOf(epoch, 0);

    /// <summary>The beginning of the file that an epoch reads after that of a place; null after the last one.</summary>
    public SourcePosition? After(SourcePosition place) =>
        place.File + 1 < files.Count ? SourcePosition.StartOf(place.Epoch, place.File + 1) : null;

    /// <summary>Finds the files that a source names.</summary>
    /// <exception cref="SourceException">As <see cref="SourceList.Expand"/>, or a kind is not read.</exception>
    public static SourceFiles Of(SourceOptions source)
    {
        var files = SourceList.Expand(source.Paths);
        return new SourceFiles(files, [.. files.Select(file => RecordFormats.Of(file, source))]);
    }
}
