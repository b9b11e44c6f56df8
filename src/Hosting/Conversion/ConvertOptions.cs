namespace Streaming.Hosting.Conversion;

/// <summary>What the command line adds to the files that are converted.</summary>
internal sealed record ConvertOptions
{
    /// <summary>Steps that are assumed where the files do not say how many there are.</summary>
    public const long StandInSteps = 10_000;

    /// <summary>Full path of the folder in which the configuration will lie.</summary>
    public required string OutputFolder { get; init; }

    public long? MaxSteps { get; init; }

    public string? ModelConfig { get; init; }

    /// <summary>The text is raw and must be normalised and split.</summary>
    public bool Normalize { get; init; }
}
