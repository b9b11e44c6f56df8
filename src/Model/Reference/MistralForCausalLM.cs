using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

// Shapes: B rows, T tokens, D model width, V vocabulary.

/// <summary>
/// Mistral (Jiang et al. 2023) for reading and for checking: plain modules, gradients by autograd, parameter names as in
/// the Hugging Face checkpoint. Its weights are unset until <see cref="Load"/>. Used by one thread at a time.
/// </summary>
public sealed class MistralForCausalLM : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "model")] private readonly Decoder _decoder;
    [ComponentName(Name = "lm_head")] private readonly Projection? _output; // (V, D); null where tied to the embedding

    /// <param name="config">The model's shape.</param>
    /// <param name="type">Type of weights and activations.</param>
    /// <param name="device">Where they live.</param>
    public MistralForCausalLM(MistralConfig config, ScalarType type, Device device) : base(nameof(MistralForCausalLM))
    {
        LibtorchRuntime.Load();
        Config = config;
        _decoder = new Decoder(config, type, device);
        _output = config.TieWordEmbeddings ? null : new Projection(config.VocabularySize, config.HiddenSize, type, device);
        RegisterComponents();
        var byName = named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        Weights = [.. ModelParameter.Of(config).Select(parameter => (parameter, byName[parameter.Name]))];
    }

    public MistralConfig Config { get; }

    /// <summary>Every parameter with its tensor, in the checkpoint's order.</summary>
    public IReadOnlyList<(ModelParameter Parameter, Parameter Tensor)> Weights { get; }

    /// <summary>Overwrites every weight.</summary>
    public void Load(IWeightSource source)
    {
        foreach (var (parameter, tensor) in Weights)
        {
            var values = new float[parameter.Count];
            source.Read(parameter, values);
            HostTensors.Write(tensor, values);
        }
    }

    /// <summary>Token ids (B, T) to logits (B, T, V), in the model's type.</summary>
    public override Tensor forward(Tensor ids_BT)
    {
        using var temporaries = NewDisposeScope();
        return Logits(_decoder.Forward(ids_BT)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits (B, V) of the token after the last.</summary>
    public Tensor NextLogits(Tensor ids_BT)
    {
        using var temporaries = NewDisposeScope();
        var hidden_BTD = _decoder.Forward(ids_BT);
        return Logits(hidden_BTD.select(1, ids_BT.shape[1] - 1)).MoveToOuterDisposeScope();
    }

    /// <summary>Mean cross-entropy of predicting each token from those before it, in float32 and nats; a tensor without dimensions.</summary>
    public Tensor Loss(Tensor ids_BT)
    {
        using var temporaries = NewDisposeScope();
        var length = ids_BT.shape[1];
        var predictions = forward(ids_BT).to(ScalarType.Float32).narrow(1, 0, length - 1).reshape(-1, Config.VocabularySize);
        var labels = ids_BT.narrow(1, 1, length - 1).reshape(-1);
        return nn.functional.cross_entropy(predictions, labels).MoveToOuterDisposeScope();
    }

    private Tensor Logits(Tensor hidden) =>
        _output is null ? nn.functional.linear(hidden, _decoder.Embedding) : _output.forward(hidden);
}

/// <summary>Embedding, layers, last norm.</summary>
internal sealed class Decoder : nn.Module
{
    private readonly MistralConfig _config;
    private readonly Device _device;
    private readonly Rotation _rotation;
    [ComponentName(Name = "embed_tokens")] private readonly TokenEmbedding _embedding;
    [ComponentName(Name = "layers")] private readonly ModuleList<Block> _blocks;
    [ComponentName(Name = "norm")] private readonly RmsNorm _norm;
    private Tensor? _window; // (T, T)

    public Decoder(MistralConfig config, ScalarType type, Device device) : base(nameof(Decoder))
    {
        (_config, _device) = (config, device);
        _rotation = new Rotation(config, type, device);
        _embedding = new TokenEmbedding(config, type, device);
        _blocks = new ModuleList<Block>([.. Enumerable.Range(0, config.LayerCount).Select(_ => new Block(config, type, device))]);
        _norm = new RmsNorm(config, type, device);
        RegisterComponents();
    }

    public Tensor Embedding => _embedding.weight;

    public Tensor Forward(Tensor ids_BT)
    {
        using var temporaries = NewDisposeScope();
        var length = (int)ids_BT.shape[1];
        _rotation.Reserve(length);
        var mask_TT = WindowMask(length);
        var x_BTD = _embedding.forward(ids_BT);
        foreach (var block in _blocks)
            x_BTD = block.Forward(x_BTD, _rotation, mask_TT);
        return _norm.forward(x_BTD).MoveToOuterDisposeScope();
    }

    /// <summary>Null where the sliding window covers the whole text; kept until the text's length changes.</summary>
    private Tensor? WindowMask(int length)
    {
        if (_config.SlidingWindow is not { } window || window >= length)
            return null;
        if (_window?.shape[0] == length)
            return _window;
        _window?.Dispose();
        using var temporaries = NewDisposeScope();
        return _window = ones([length, length], ScalarType.Bool, _device).tril().triu(1 - window).DetachFromDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rotation.Dispose();
            _window?.Dispose();
        }
        base.Dispose(disposing);
    }
}
