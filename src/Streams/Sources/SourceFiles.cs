using Streaming.Streams.Batches;
using Streaming.Streams.Records;
using Streaming.Streams.Shuffling;

namespace Streaming.Streams.Sources;

/// <summary>The files of one source, and the order in which an epoch reads them.</summary>
/// <param name="files">As listed.</param>
/// <param name="formats">What each holds.</param>
/// <param name="tails">The offset of each at which its held-out text begins, where that is decided by place.</param>
/// <param name="seed">Reads them in another order each epoch; null reads them as listed.</param>
internal sealed class SourceFiles(IReadOnlyList<SourceFile> files, IReadOnlyList<IRecordFormat> formats, IReadOnlyList<long>? tails, long? seed)
{
    private Order? _order;

    public int Count => files.Count;

    public SourceFile this[int index] => files[index];

    /// <summary>Some of the files, for messages.</summary>
    public string Names => string.Join(", ", files.Take(3).Select(file => file.Name)) + (files.Count > 3 ? ", …" : "");

    /// <summary>What the files are recognised by.</summary>
    public IReadOnlyList<SourceIdentity> Identities => [.. files.Select(SourceIdentity.Of)];

    /// <summary>Where documents of the file begin to be held out; null where that is not decided by place.</summary>
    public long? TailOf(int file) => tails?[file];

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
    /// <exception cref="SourceException">As <see cref="SourceList.Expand"/>, a kind is not read, or the tail is to be held out of a file of unknown length.</exception>
    public static SourceFiles Of(SourceOptions source, PipelineOptions options, Split split)
    {
        var files = SourceList.Expand(source.Paths, options.OnNotice is { } tell ? options.Http with { OnNotice = tell } : options.Http);
        var formats = files.Select(file => RecordFormats.Of(file, source, options.Instructions)).ToList();
        var tails = options is { ValidationRule: ValidationRule.Tail, ValidationFraction: > 0 }
            ? files.Zip(formats, (file, format) => PlaceOfTail(file, format, options.ValidationFraction)).ToList()
            : null;
        return new SourceFiles(files, formats, tails, split == Split.Train ? options.Shuffle?.Seed : null);
    }

    private static long PlaceOfTail(SourceFile file, IRecordFormat format, double fraction) => format.LengthOf(file) is { } length
        ? length - (long)(length * fraction)
        : throw new SourceException($"the last {FormattableString.Invariant($"{fraction:0.##%}")} of {file.Name} cannot be held out, as the length of its text is not known before it is read; give it as xz or unpacked, or hold out documents by their hash.");

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
