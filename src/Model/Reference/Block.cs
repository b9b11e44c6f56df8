using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

// Shapes: B rows, T tokens, D model width, N query heads, K key-value heads, H head width, F feed-forward width.

/// <summary>Attention with fewer key-value heads than query heads (Ainslie et al. 2023), causal, with rotary positions.</summary>
internal sealed class Attention : nn.Module
{
    private readonly MistralConfig _config;
    [ComponentName(Name = "q_proj")] private readonly Projection _query; // (N·H, D)
    [ComponentName(Name = "k_proj")] private readonly Projection _key; // (K·H, D)
    [ComponentName(Name = "v_proj")] private readonly Projection _value; // (K·H, D)
    [ComponentName(Name = "o_proj")] private readonly Projection _output; // (D, N·H)

    public Attention(MistralConfig config, ScalarType type, Device device) : base(nameof(Attention))
    {
        _config = config;
        long queries = (long)config.HeadCount * config.HeadSize, keys = (long)config.KeyValueHeadCount * config.HeadSize;
        _query = new Projection(queries, config.HiddenSize, type, device);
        _key = new Projection(keys, config.HiddenSize, type, device);
        _value = new Projection(keys, config.HiddenSize, type, device);
        _output = new Projection(config.HiddenSize, queries, type, device);
        RegisterComponents();
    }

    /// <param name="x_BTD">Input.</param>
    /// <param name="rotation">Positions.</param>
    /// <param name="mask">True where a position may look, (T, T) or (B, 1, T, T); null for plain causal attention.</param>
    public Tensor Forward(Tensor x_BTD, Rotation rotation, Tensor? mask)
    {
        using var temporaries = NewDisposeScope();
        var q_BNTH = rotation.Turn(Heads(_query.forward(x_BTD), _config.HeadCount));
        var k_BNTH = Repeat(rotation.Turn(Heads(_key.forward(x_BTD), _config.KeyValueHeadCount)));
        var v_BNTH = Repeat(Heads(_value.forward(x_BTD), _config.KeyValueHeadCount));
        var mixed_BNTH = nn.functional.scaled_dot_product_attention(q_BNTH, k_BNTH, v_BNTH, mask, is_casual: mask is null);
        var joined_BTD = mixed_BNTH.transpose(1, 2).reshape(x_BTD.shape[0], x_BTD.shape[1], -1);
        return _output.forward(joined_BTD).MoveToOuterDisposeScope();
    }

    private Tensor Heads(Tensor x, int heads) => x.view(x.shape[0], x.shape[1], heads, _config.HeadSize).transpose(1, 2);

    /// <summary>Gives every query head its key-value head: (B, K, T, H) to (B, N, T, H), each repeated N / K times in a row.</summary>
    private Tensor Repeat(Tensor x_BKTH)
    {
        long copies = _config.HeadCount / _config.KeyValueHeadCount;
        if (copies == 1)
            return x_BKTH;
        var shape = x_BKTH.shape;
        return x_BKTH.unsqueeze(2).expand(shape[0], shape[1], copies, shape[2], shape[3]).reshape(shape[0], _config.HeadCount, shape[2], shape[3]);
    }
}

/// <summary>Feed-forward layer with a gate (SwiGLU, Shazeer 2020).</summary>
internal sealed class FeedForward : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "gate_proj")] private readonly Projection _gate; // (F, D)
    [ComponentName(Name = "up_proj")] private readonly Projection _up; // (F, D)
    [ComponentName(Name = "down_proj")] private readonly Projection _down; // (D, F)

    public FeedForward(MistralConfig config, ScalarType type, Device device) : base(nameof(FeedForward))
    {
        _gate = new Projection(config.IntermediateSize, config.HiddenSize, type, device);
        _up = new Projection(config.IntermediateSize, config.HiddenSize, type, device);
        _down = new Projection(config.HiddenSize, config.IntermediateSize, type, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x_BTD)
    {
        using var temporaries = NewDisposeScope();
        var h_BTF = nn.functional.silu(_gate.forward(x_BTD)).mul(_up.forward(x_BTD));
        return _down.forward(h_BTF).MoveToOuterDisposeScope();
    }
}

/// <summary>One layer: attention and feed-forward, each over a normed input and added to it.</summary>
internal sealed class Block : nn.Module
{
    [ComponentName(Name = "self_attn")] private readonly Attention _attention;
    [ComponentName(Name = "mlp")] private readonly FeedForward? _feedForward; // null in a mixture of experts
    [ComponentName(Name = "block_sparse_moe")] private readonly ExpertLayer? _experts; // null elsewhere
    [ComponentName(Name = "input_layernorm")] private readonly RmsNorm _attentionNorm;
    [ComponentName(Name = "post_attention_layernorm")] private readonly RmsNorm _feedForwardNorm;

    public Block(MistralConfig config, ScalarType type, Device device) : base(nameof(Block))
    {
        _attention = new Attention(config, type, device);
        _feedForward = config.Experts is null ? new FeedForward(config, type, device) : null;
        _experts = config.Experts is null ? null : new ExpertLayer(config, type, device);
        _attentionNorm = new RmsNorm(config, type, device);
        _feedForwardNorm = new RmsNorm(config, type, device);
        RegisterComponents();
    }

    /// <param name="routers">Receives the logits of the layer's router, where it has one; null where nobody asks.</param>
    public Tensor Forward(Tensor x_BTD, Rotation rotation, Tensor? mask, List<Tensor>? routers)
    {
        using var temporaries = NewDisposeScope();
        var first = routers?.Count ?? 0;
        var h_BTD = x_BTD.Plus(_attention.Forward(_attentionNorm.forward(x_BTD), rotation, mask));
        var normed_BTD = _feedForwardNorm.forward(h_BTD);
        var y_BTD = h_BTD.Plus(_experts?.Forward(normed_BTD, routers) ?? _feedForward!.forward(normed_BTD)).MoveToOuterDisposeScope();
        for (var i = first; i < routers?.Count; i++)
            routers[i].MoveToOuterDisposeScope();
        return y_BTD;
    }
}
