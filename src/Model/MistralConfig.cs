namespace Streaming.Model;

/// <summary>The shape of a Mistral or Mixtral model, as in Hugging Face's <c>config.json</c>.</summary>
public sealed record MistralConfig
{
    public required int VocabularySize { get; init; }
    public required int HiddenSize { get; init; }
    public required int IntermediateSize { get; init; }
    public required int LayerCount { get; init; }
    public required int HeadCount { get; init; }
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Width of one head: <c>head_dim</c>, or hidden size over heads where the file has none.</summary>
    public required int HeadSize { get; init; }

    public int MaxPositions { get; init; } = 4096;
    public double RopeTheta { get; init; } = 10_000;
    public double RmsNormEpsilon { get; init; } = 1e-6;
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Tokens that a position attends to, itself included; null attends to all before it.</summary>
    public int? SlidingWindow { get; init; }

    public bool TieWordEmbeddings { get; init; }

    /// <summary>Experts in place of each feed-forward layer (Mixtral); null for Mistral.</summary>
    public MixtureOfExperts? Experts { get; init; }

    public int? BosTokenId { get; init; }
    public int? EosTokenId { get; init; }
    public int? PadTokenId { get; init; }

    /// <summary>Reads a <c>config.json</c>, checking every value.</summary>
    /// <param name="path">The file, or the folder that holds it.</param>
    /// <exception cref="ModelException">No such file, another architecture, or a value out of range; names file, key and value.</exception>
    public static MistralConfig Load(string path) => MistralConfigJson.Load(path);

    /// <summary>Writes a <c>config.json</c> that Transformers (4 and 5) loads.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="weightsType">The data type of the weights beside it, as PyTorch names it.</param>
    public void Save(string path, string weightsType = "float32") => File.WriteAllText(path, MistralConfigJson.Write(this, weightsType));
}
