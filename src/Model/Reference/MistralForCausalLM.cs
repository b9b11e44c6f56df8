using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

// Shapes: B rows, T tokens, D model width, V vocabulary.

/// <summary>
/// Mistral (Jiang et al. 2023) for reading and for checking: plain modules, gradients by autograd, parameter names as in
/// the Hugging Face checkpoint. Mixtral (Jiang et al. 2024) is the same with experts for feed-forward layers. Its weights are unset until <see cref="Load"/>. Used by one thread at a time.
/// </summary>
public sealed class MistralForCausalLM : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "model")] private readonly Decoder _decoder;
    [ComponentName(Name = "lm_head")] private readonly Projection? _output; // (V, D); null where tied to the embedding
    private readonly BalanceLoss? _balance; // null where training adds none

    /// <param name="config">The model's shape.</param>
    /// <param name="type">Type of weights and activations.</param>
    /// <param name="device">Where they live.</param>
    public MistralForCausalLM(MistralConfig config, ScalarType type, Device device) : base(nameof(MistralForCausalLM))
    {
        LibtorchRuntime.Load();
        Config = config;
        _decoder = new Decoder(config, type, device);
        _output = config.TieWordEmbeddings ? null : new Projection(config.VocabularySize, config.HiddenSize, type, device);
        _balance = config.Experts is { Balances: true } experts ? new BalanceLoss(experts) : null;
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

    /// <summary>The projection of a layer by its matrix's name.</summary>
    internal Projection ProjectionOf(ModelParameter matrix) =>
        (Projection)named_modules().Single(entry => entry.name + ".weight" == matrix.Name).module;

    /// <summary>Token ids (B, T) to logits (B, T, V), in the model's type; each row is one document.</summary>
    public override Tensor forward(Tensor ids_BT)
    {
        using var temporaries = NewDisposeScope();
        return Logits(_decoder.Forward(ids_BT, documents_BT: null)).MoveToOuterDisposeScope();
    }

    /// <summary>Logits (B, V) of the token after the last.</summary>
    public Tensor NextLogits(Tensor ids_BT)
    {
        using var temporaries = NewDisposeScope();
        var hidden_BTD = _decoder.Forward(ids_BT, documents_BT: null);
        return Logits(hidden_BTD.select(1, ids_BT.shape[1] - 1)).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Mean cross-entropy of predicting each token that counts from those before it in its document, in float32 and nats: a tensor
    /// without dimensions. Null where none counts.
    /// </summary>
    /// <param name="trains">Adds the load-balancing loss, where the model's config.json asks for it.</param>
    public Tensor? Loss(MicroBatch batch, Device device, bool trains)
    {
        using var temporaries = NewDisposeScope();
        var host = new int[batch.Tokens.Length];
        if (batch.WriteLabels(host) == 0)
            return null;
        var length = batch.Columns;
        var labels = HostTensors.FromTokens(host, batch.Rows, device).narrow(1, 0, length - 1).reshape(-1);
        var documents_BT = Documents(batch, host) ? HostTensors.FromTokens(host, batch.Rows, device) : null;
        var routers = trains && _balance is not null ? new List<Tensor>() : null;
        var hidden_BTD = _decoder.Forward(HostTensors.FromTokens(batch.Tokens, batch.Rows, device), documents_BT, routers);
        var predictions = Logits(hidden_BTD).to(ScalarType.Float32).narrow(1, 0, length - 1).reshape(-1, Config.VocabularySize);
        var loss = nn.functional.cross_entropy(predictions, labels, ignore_index: MicroBatch.Ignored);
        return (routers is null ? loss : loss.Plus(_balance!.Of(routers))).MoveToOuterDisposeScope();
    }

    /// <summary>Numbers the documents, each token by its own; false where every row is one document.</summary>
    private static bool Documents(MicroBatch batch, Span<int> numbers)
    {
        var boundaries = new int[batch.Tokens.Length + 1];
        var documents = batch.WriteBoundaries(boundaries, batch.Tokens.Length);
        for (var i = 0; i < documents; i++)
            numbers[boundaries[i]..boundaries[i + 1]].Fill(i);
        return documents > batch.Rows;
    }

    private Tensor Logits(Tensor hidden) =>
        _output is null ? nn.functional.linear(hidden, _decoder.Embedding) : _output.forward(hidden);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _balance?.Dispose();
        base.Dispose(disposing);
    }
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
    private Tensor? _past; // (T, T)

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

    /// <param name="ids_BT">Token ids.</param>
    /// <param name="documents_BT">A number for each document, at its tokens; null where every row is one.</param>
    /// <param name="routers">Receives the logits of all routers; null where nobody asks.</param>
    public Tensor Forward(Tensor ids_BT, Tensor? documents_BT, List<Tensor>? routers = null)
    {
        using var temporaries = NewDisposeScope();
        var length = (int)ids_BT.shape[1];
        _rotation.Reserve(length);
        var mask = Mask(length, documents_BT);
        var x_BTD = _embedding.forward(ids_BT);
        foreach (var block in _blocks)
            x_BTD = block.Forward(x_BTD, _rotation, mask, routers);
        foreach (var router in routers ?? [])
            router.MoveToOuterDisposeScope();
        return _norm.forward(x_BTD).MoveToOuterDisposeScope();
    }

    /// <summary>True where a position looks: (T, T), or (B, 1, T, T) with documents; null where that is everything before it.</summary>
    private Tensor? Mask(int length, Tensor? documents_BT)
    {
        if (documents_BT is not null)
            return documents_BT.unsqueeze(2).eq(documents_BT.unsqueeze(1)).logical_and(Past(length)).unsqueeze(1);
        return _config.SlidingWindow < length ? Past(length) : null;
    }

    /// <summary>Each position with those before it, as far as the sliding window reaches; kept until the text's length changes.</summary>
    private Tensor Past(int length)
    {
        if (_past?.shape[0] == length)
            return _past;
        _past?.Dispose();
        using var temporaries = NewDisposeScope();
        var window = Math.Min(_config.SlidingWindow ?? length, length);
        return _past = ones([length, length], ScalarType.Bool, _device).tril().triu(1 - window).DetachFromDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _rotation.Dispose();
            _past?.Dispose();
        }
        base.Dispose(disposing);
    }
}
