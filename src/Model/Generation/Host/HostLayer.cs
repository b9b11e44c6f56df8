namespace Streaming.Model.Generation.Host;

// Shapes: D model width, N query heads, K key-value heads, H head width, F feed-forward width, E experts.

/// <summary>The weights of a feed-forward layer, or of an expert.</summary>
/// <param name="Gate">(F, D)</param>
/// <param name="Up">(F, D)</param>
/// <param name="Down">(D, F)</param>
internal readonly record struct HostFeedForward(HostMatrix Gate, HostMatrix Up, HostMatrix Down)
{
    public long Bytes => Gate.Bytes + Up.Bytes + Down.Bytes;
}

/// <summary>The weights of one layer.</summary>
internal sealed class HostLayer
{
    private readonly int _expertsAToken;

    public HostLayer(HostWeights weights, int layer, MixtureOfExperts? experts)
    {
        var prefix = FormattableString.Invariant($"model.layers.{layer}.");
        Query = weights[prefix + "self_attn.q_proj.weight"];
        Key = weights[prefix + "self_attn.k_proj.weight"];
        Value = weights[prefix + "self_attn.v_proj.weight"];
        AttentionOutput = weights[prefix + "self_attn.o_proj.weight"];
        if (experts is null)
            FeedForward = new(weights[prefix + "mlp.gate_proj.weight"], weights[prefix + "mlp.up_proj.weight"], weights[prefix + "mlp.down_proj.weight"]);
        else
        {
            Router = weights[prefix + "block_sparse_moe.gate.weight"];
            Experts = [.. Enumerable.Range(0, experts.Count).Select(expert => FormattableString.Invariant($"{prefix}block_sparse_moe.experts.{expert}."))
                .Select(expert => new HostFeedForward(weights[expert + "w1.weight"], weights[expert + "w3.weight"], weights[expert + "w2.weight"]))];
            _expertsAToken = experts.PerToken;
        }
        AttentionNorm = weights[prefix + "input_layernorm.weight"].ToVector();
        FeedForwardNorm = weights[prefix + "post_attention_layernorm.weight"].ToVector();
    }

    public HostMatrix Query { get; } // (N·H, D)
    public HostMatrix Key { get; } // (K·H, D)
    public HostMatrix Value { get; } // (K·H, D)
    public HostMatrix AttentionOutput { get; } // (D, N·H)
    public HostFeedForward FeedForward { get; } // empty in a mixture of experts
    public HostMatrix Router { get; } // (E, D); empty elsewhere
    public HostFeedForward[] Experts { get; } = [];

    /// <summary>Bytes that one token reads.</summary>
    public long Bytes => Query.Bytes + Key.Bytes + Value.Bytes + AttentionOutput.Bytes + FeedForward.Bytes + Router.Bytes + Experts.Take(_expertsAToken).Sum(expert => expert.Bytes);

    public float[] AttentionNorm { get; } // (D)
    public float[] FeedForwardNorm { get; } // (D)
}
