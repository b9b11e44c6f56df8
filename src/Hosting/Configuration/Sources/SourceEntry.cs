using Streaming.Streams;
using Streaming.Streams.Cleaning;

namespace Streaming.Hosting.Configuration;

/// <summary>One source as it stands in <c>data.sources</c>; what is null there comes from the keys for all sources.</summary>
internal sealed record SourceEntry
{
    public required string Name { get; init; }
    public required IReadOnlyList<string> Paths { get; init; }
    public SourceKind Kind { get; init; } = SourceKind.Auto;
    public string TextField { get; init; } = "text";
    public double Weight { get; init; } = 1;
    public long? Epochs { get; init; }
    public Preset<CleaningOptions>? Cleaning { get; init; }
    public Preset<DuplicateOptions>? Duplicates { get; init; }
}
