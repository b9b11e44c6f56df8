using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

/// <summary>Shapes that between them reach every way the kernels are compiled.</summary>
internal static class TestShapes
{
    public static readonly string[] Names = ["tiny", "recipe", "wide", "odd"];

    public static FusedShape Named(string name) => FusedShape.From(name switch
    {
        // A row has fewer vectors (8) than a warp has lanes, 16 rows a block; the smallest heads; a quarter of the classifier is padding.
        "tiny" => Config(hidden: 64, intermediate: 72, heads: 4, keyValueHeads: 2, headSize: 16, vocabulary: 97),
        // The recipe's 338M model: four warps a row.
        "recipe" => Config(hidden: 1024, intermediate: 2400, heads: 16, keyValueHeads: 8, headSize: 64, vocabulary: 50257),
        // A whole block a row, and one vector more than it has threads; a vocabulary without padding that fills the classifier's registers.
        "wide" => Config(hidden: 4104, intermediate: 1000, heads: 20, keyValueHeads: 5, headSize: 128, vocabulary: 131072),
        // 256 threads a row of 137 vectors; three vectors a half head, one key and value head; less than a warp of the classifier has work.
        "odd" => Config(hidden: 1096, intermediate: 8, heads: 6, keyValueHeads: 1, headSize: 48, vocabulary: 64),
        _ => throw new ArgumentException($"no test shape is called {name}", nameof(name)),
    });

    private static MistralConfig Config(int hidden, int intermediate, int heads, int keyValueHeads, int headSize, int vocabulary) => new()
    {
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        HeadCount = heads,
        KeyValueHeadCount = keyValueHeads,
        HeadSize = headSize,
        VocabularySize = vocabulary,
        LayerCount = 2,
    };
}
