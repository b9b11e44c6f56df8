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

    /// <summary>Threads that share one row of <see cref="Hidden"/> values, so that each holds at most 32 of them.</summary>
    public int RowThreads
    {
        get
        {
            var threads = 32;
            while (threads * 32 < Hidden) threads *= 2;
            return threads;
        }
    }

    /// <summary>Rows of the hidden width that one block of the norm kernels takes.</summary>
    public int RowsPerBlock => RowThreads == 32 ? 8 : 1;

    /// <summary>Threads a block of the norm kernels.</summary>
    public int RowBlock => RowThreads == 32 ? 256 : RowThreads;

    /// <summary>The shape of <paramref name="model"/>, or why the fused kernels cannot compute it.</summary>
    public static FusedShape From(MistralConfig model)
    {
        Require(model.HiddenSize % 8 == 0 && model.HiddenSize <= 32 * 1024, "hidden_size", model.HiddenSize, "a multiple of 8 up to 32768");
        Require(model.IntermediateSize % 8 == 0, "intermediate_size", model.IntermediateSize, "a multiple of 8");
        Require(model.HeadSize % 16 == 0 && model.HeadSize <= 256, "head_dim", model.HeadSize, "a multiple of 16 up to 256");
        Require(model.HeadCount % model.KeyValueHeadCount == 0, "num_attention_heads", model.HeadCount, "a multiple of num_key_value_heads");
        return new FusedShape(model);
    }

    private static void Require(bool condition, string key, int value, string allowed)
    {
        if (!condition)
            throw new NotSupportedException($"the fused engine needs {key} to be {allowed}; it is {value}: set training.engine = reference");
    }
}
