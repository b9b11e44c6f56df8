namespace Streaming.Model.Tests;

/// <summary>A model small enough for hundreds of steps a second, and text for it.</summary>
internal static class TinyModels
{
    public static MistralConfig Config { get; } = new()
    {
        VocabularySize = 128,
        HiddenSize = 32,
        IntermediateSize = 48,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 8,
        MaxPositions = 64,
        BosTokenId = 2,
        EosTokenId = 3,
        PadTokenId = 0,
    };

    /// <summary>Random token ids without the special ones.</summary>
    public static int[] Tokens(MistralConfig config, int rows, int columns, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, rows * columns).Select(_ => random.Next(4, config.VocabularySize))];
    }
}
