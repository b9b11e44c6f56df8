namespace Streaming.Model.Generation;

/// <summary>How the tokens of a short sample of a training model are drawn.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits before the softmax; 0 always takes the most probable token.</summary>
    public double Temperature { get; init; } = 0.8;

    /// <summary>Most probable tokens among which one is drawn; 0 draws among all.</summary>
    public int TopK { get; init; } = 40;

    public int Seed { get; init; }

    /// <summary>Ends the text, itself included; null never does.</summary>
    public int? StopToken { get; init; }

    /// <summary>The same as options of generation.</summary>
    public GenerationOptions ToGeneration(int maxNewTokens) => new()
    {
        MaxNewTokens = maxNewTokens,
        Sample = true,
        Temperature = Temperature,
        TopK = TopK,
        Seed = Seed,
        EndTokens = StopToken is { } stop ? [stop] : [],
    };
}
