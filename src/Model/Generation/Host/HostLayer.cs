namespace Streaming.Model.Generation.Host;

// Shapes: D model width, N query heads, K key-value heads, H head width, F feed-forward width.

/// <summary>The weights of one layer.</summary>
internal sealed class HostLayer
{
    public HostLayer(HostWeights weights, int layer)
    {
        var prefix = FormattableString.Invariant($"model.layers.{layer}.");
        Query = weights[prefix + "self_attn.q_proj.weight"];
        Key = weights[prefix + "self_attn.k_proj.weight"];
        Value = weights[prefix + "self_attn.v_proj.weight"];
        AttentionOutput = weights[prefix + "self_attn.o_proj.weight"];
        Gate = weights[prefix + "mlp.gate_proj.weight"];
        Up = weights[prefix + "mlp.up_proj.weight"];
        Down = weights[prefix + "mlp.down_proj.weight"];
        AttentionNorm = weights[prefix + "input_layernorm.weight"].ToVector();
        FeedForwardNorm = weights[prefix + "post_attention_layernorm.weight"].ToVector();
    }

    public HostMatrix Query { get; } // (N·H, D)
    public HostMatrix Key { get; } // (K·H, D)
    public HostMatrix Value { get; } // (K·H, D)
    public HostMatrix AttentionOutput { get; } // (D, N·H)
    public HostMatrix Gate { get; } // (F, D)
    public HostMatrix Up { get; } // (F, D)
    public HostMatrix Down { get; } // (D, F)
    public long Bytes => Query.Bytes + Key.Bytes + Value.Bytes + AttentionOutput.Bytes + Gate.Bytes + Up.Bytes + Down.Bytes;
    public float[] AttentionNorm { get; } // (D)
    public float[] FeedForwardNorm { get; } // (D)
}
