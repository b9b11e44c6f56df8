using Streaming.Streams.Batches;
using Streaming.Streams.Records;
using Streaming.Streams.Shuffling;

namespace Streaming.Streams.Sources;

/// <summary>The files of one source, and the order in which an epoch reads them.</summary>
/// <param name="files">As listed.</param>
/// <param name="formats">What each holds.</param>
/// <param name="seed">Reads them in another order each epoch; null reads them as listed.</param>
internal sealed class SourceFiles(IReadOnlyList<SourceFile> files, IReadOnlyList<IRecordFormat> formats, long? seed)
{
    private Order? _order;

    public int Count => files.Count;

    public SourceFile this[int index] => files[index];

    /// <summary>Some of the files, for messages.</summary>
    public string Names => string.Join(", ", files.Take(3).Select(file => file.Name)) + (files.Count > 3 ? ", …" : "");

    /// <summary>What the files are recognised by.</summary>
    public IReadOnlyList<SourceIdentity> Identities => [.. files.Select(SourceIdentity.Of)];

    /// <summary>What the file holds.</summary>
    public IRecordFormat FormatOf(int file) => formats[file];

    /// <summary>Where an epoch begins.</summary>
    public SourcePosition StartOf(long epoch) => SourcePosition.StartOf(epoch, OrderOf(epoch)[0]);

    /// <summary>The beginning of the file that an epoch reads after that of a place; null after the last one.</summary>
    public SourcePosition? After(SourcePosition place)
    {
        var order = OrderOf(place.Epoch);
        var next = Array.IndexOf(order, place.File) + 1;
        return next < order.Length ? SourcePosition.StartOf(place.Epoch, order[next]) : null;
    }

    /// <summary>Finds the files that a source names.</summary>
    /// <exception cref="SourceException">As <see cref="SourceList.Expand"/>, or a kind is not read.</exception>
    public static SourceFiles Of(SourceOptions source, PipelineOptions options, Split split)
    {
        var files = SourceList.Expand(source.Paths);
        return new SourceFiles(files, [.. files.Select(file => RecordFormats.Of(file, source))], split == Split.Train ? options.Shuffle?.Seed : null);
    }

    private int[] OrderOf(long epoch)
    {
        if (_order is { } known && known.Epoch == epoch)
            return known.Files;
        var order = Enumerable.Range(0, files.Count).ToArray();
        if (seed is { } drawn)
            SeededRandom.From(drawn, epoch).Permute(order);
        _order = new Order(epoch, order);
        return order;
    }

    private sealed record Order(long Epoch, int[] Files);
}
