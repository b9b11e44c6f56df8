namespace Streaming.Model.Fused;

/// <summary>A model's shape together with what the kernels derive from it; all of it is a compile-time constant to them.</summary>
public sealed record FusedShape
{
    private FusedShape(MistralConfig model) => Model = model;

    public MistralConfig Model { get; }
    public int Hidden => Model.HiddenSize;
    public int Intermediate => Model.IntermediateSize;
    public int Layers => Model.LayerCount;
    public int Heads => Model.HeadCount;
    public int KeyValueHeads => Model.KeyValueHeadCount;
    public int HeadSize => Model.HeadSize;
    public int Vocabulary => Model.VocabularySize;

    /// <summary>Rows of the embedding and the classifier in memory: a multiple of 64, so that products run on aligned tiles.</summary>
    public int VocabularyPadded => (Vocabulary + 63) / 64 * 64;

    public int QueryWidth => Heads * HeadSize;
    public int KeyValueWidth => KeyValueHeads * HeadSize;

    /// <summary>Width of a packed row of queries, keys and values.</summary>
    public int PackedWidth => QueryWidth + 2 * KeyValueWidth;

    /// <summary>Threads a block of the kernels that work on rows of the hidden width.</summary>
    public static int RowBlock => 512;

    /// <summary>Threads that share one such row, 8 values each where the block has that many: a power of two from 32 on.</summary>
    public int RowThreads => Math.Clamp((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Hidden / 8), 32, RowBlock);

    /// <summary>Rows that one block takes at a time.</summary>
    public int RowsPerBlock => RowBlock / RowThreads;

    /// <summary>The shape of <paramref name="model"/>, or why the fused kernels cannot compute it.</summary>
    public static FusedShape From(MistralConfig model)
    {
        if (model.Experts is not null)
            throw new NotSupportedException("the fused kernels compute no mixture of experts (MixtralForCausalLM): the reference engine trains it (torch.engine = auto or reference), and the CPU generates with it");
        Require(model.HiddenSize % 8 == 0 && model.HiddenSize <= 32 * 1024, "hidden_size", model.HiddenSize, "a multiple of 8 up to 32768");
        Require(model.IntermediateSize % 8 == 0, "intermediate_size", model.IntermediateSize, "a multiple of 8");
        Require(model.HeadSize % 16 == 0 && model.HeadSize <= 256, "head_dim", model.HeadSize, "a multiple of 16 up to 256");
        Require(model.HeadCount % model.KeyValueHeadCount == 0, "num_attention_heads", model.HeadCount, "a multiple of num_key_value_heads");
        return new FusedShape(model);
    }

    private static void Require(bool condition, string key, int value, string allowed)
    {
        if (!condition)
            throw new NotSupportedException($"the fused engine needs {key} to be {allowed}; it is {value}: set torch.engine = reference");
    }
}
