using Streaming.Model.Adapters;
using Streaming.Model.Libtorch;
using Streaming.Model.Optimizers;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Model.Engines;

/// <summary>
/// Trains with the reference model and autograd, on any device. In float32 the model's weights are what the optimiser
/// updates; in bf16 and fp16 the optimiser has float32 master weights, and gradients are summed in float32. Where adapters are
/// trained, the model's weights have neither of these, nor moments.
/// </summary>
public sealed class ReferenceEngine : ITrainingEngine
{
    private readonly Device _device;
    private readonly MistralForCausalLM _model;
    private readonly ReferenceParameter[] _parameters;
    private readonly LowRankAdapter[] _adapters;
    private readonly AdapterDropout? _dropout;
    private readonly AdamW _optimizer;
    private readonly Tensor _loss; // sum of the micro-batches' shares since the last update
    private Scalar _share = 1.0.ToScalar(), _gradientShare = 1.0.ToScalar(); // the latter times the loss scale
    private int _microBatches = 1;
    private int _accumulated; // micro-batches since the last update
    private LossScaling? _lossScale;

    /// <param name="model">The model's shape.</param>
    /// <param name="optimizer">How weights are updated.</param>
    /// <param name="device">Where to compute; see <see cref="Devices.Parse"/>.</param>
    /// <param name="precision">What to compute in.</param>
    /// <param name="weights">The first weights.</param>
    /// <param name="adapters">What is trained instead of the model; null trains that.</param>
    public ReferenceEngine(MistralConfig model, OptimizerOptions optimizer, Device device, Precision precision, IWeightSource weights, AdapterSet? adapters = null)
    {
        LibtorchRuntime.Load();
        using var temporaries = NewDisposeScope();
        (Model, _device, Adapters) = (model, device, adapters);
        Description = $"reference, {precision switch { Precision.BFloat16 => "bf16", Precision.Float16 => "fp16", _ => "float32" }}, {(adapters is null ? "" : $"LoRA of {adapters.Lora.Describe()}, ")}{Devices.Describe(device)}";
        _model = new MistralForCausalLM(model, TypeOf(precision), device);
        ParameterCount = _model.Weights.Sum(entry => entry.Parameter.Count);
        if (adapters is null)
            (_adapters, _parameters) = ([], [.. _model.Weights.Select(entry => new ReferenceParameter(entry.Parameter, entry.Tensor, optimizer))]);
        else
        {
            _model.Load(weights);
            foreach (var (_, tensor) in _model.Weights)
                tensor.requires_grad = false;
            if (adapters.Lora.Dropout > 0)
                _dropout = new AdapterDropout(adapters.Lora.Dropout, device);
            (_adapters, _parameters) = Adapt(adapters.Lora, TypeOf(precision), optimizer);
        }
        _optimizer = new AdamW([.. _parameters.Select(parameter => parameter.Optimized)], optimizer, device);
        _loss = zeros([], ScalarType.Float32, device).DetachFromDisposeScope();
        var first = adapters is null ? weights : new InitialAdapters(adapters.Seed);
        foreach (var parameter in _parameters)
            parameter.Load(first);
        if (precision == Precision.Float16)
            (_lossScale, LossScale) = (LossScaling.Initial, LossScaling.Initial);
    }

    public MistralConfig Model { get; }

    public string Description { get; }

    public long ParameterCount { get; }

    public AdapterSet? Adapters { get; }

    public long Step { get; set; }

    public LossScaling? LossScale
    {
        get => _lossScale;
        set
        {
            if (value is null || _lossScale is null)
                return;
            _lossScale = value;
            SetShares();
        }
    }

    public IReadOnlyList<IParameterState> Parameters => _parameters;

    /// <summary>The model itself, for generation.</summary>
    internal MistralForCausalLM Network => _model;

    public void Accumulate(MicroBatch batch, int microBatches)
    {
        CheckTokens(batch.Tokens);
        SetMicroBatches(microBatches);
        using var temporaries = NewDisposeScope();
        DrawDropout();
        if (_model.Loss(batch, _device, trains: true) is not { } loss)
            return;
        loss.mul(_gradientShare).backward();
        using (no_grad())
            _loss.add_(loss, _share);
        foreach (var parameter in _parameters)
            parameter.CollectGradient();
        GC.KeepAlive(this);
    }

    public StepResult Update(double learningRate)
    {
        using var temporaries = NewDisposeScope();
        var loss = HostTensors.Scalar(_loss);
        var norm = _optimizer.GradientNorm(_lossScale?.Scale ?? 1);
        var finite = float.IsFinite(norm);
        if (finite)
        {
            _optimizer.Clip(norm);
            _optimizer.Step(learningRate, ++Step);
        }
        foreach (var parameter in _parameters)
            parameter.FinishStep(updated: finite);
        _loss.zero_();
        _accumulated = 0;
        LossScale = _lossScale?.After(finite);
        GC.KeepAlive(this);
        return new StepResult(loss, norm, Skipped: !finite);
    }

    public double Evaluate(MicroBatch batch)
    {
        CheckTokens(batch.Tokens);
        using var temporaries = NewDisposeScope();
        using var gradientOff = no_grad();
        var loss = _model.Loss(batch, _device, trains: false) is { } mean ? HostTensors.Scalar(mean) : 0;
        GC.KeepAlive(this);
        return loss;
    }

    /// <summary>An id outside the vocabulary would read other memory, and on a GPU end the process's use of it.</summary>
    private void CheckTokens(ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
        {
            if ((uint)token >= (uint)Model.VocabularySize)
                throw new ModelException($"token {token} does not fit the model, whose vocabulary has {Model.VocabularySize}: take the tokenizer that the model was made for");
        }
    }

    private (LowRankAdapter[], ReferenceParameter[]) Adapt(LoraOptions lora, ScalarType type, OptimizerOptions optimizer)
    {
        var matrices = AdaptedMatrix.Of(Model, lora);
        LowRankAdapter[] adapters = [.. matrices.Select(matrix => _model.ProjectionOf(matrix.Matrix).Adapter = new LowRankAdapter(matrix, lora, type, _device, _dropout))];
        return (adapters, [.. matrices.Zip(adapters).SelectMany(pair => new[]
        {
            new ReferenceParameter(pair.First.A, pair.Second.A, optimizer), new ReferenceParameter(pair.First.B, pair.Second.B, optimizer),
        })]);
    }

    /// <summary>What is left out depends on the seed, the step and the micro-batch alone, so that a resumed run leaves out the same.</summary>
    private void DrawDropout() => _dropout?.Begin(RandomWeights.SeedOf($"dropout {Step} {_accumulated++}", Adapters!.Seed));

    private void SetMicroBatches(int microBatches)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(microBatches, 1);
        if (microBatches == _microBatches)
            return;
        _microBatches = microBatches;
        SetShares();
    }

    private void SetShares()
    {
        _share.Dispose();
        _gradientShare.Dispose();
        _share = (1.0 / _microBatches).ToScalar();
        _gradientShare = ((_lossScale?.Scale ?? 1) / _microBatches).ToScalar();
    }

    private static ScalarType TypeOf(Precision precision) => precision switch
    {
        Precision.BFloat16 => ScalarType.BFloat16,
        Precision.Float16 => ScalarType.Float16,
        _ => ScalarType.Float32,
    };

    public void Dispose()
    {
        foreach (var parameter in _parameters)
            parameter.Dispose();
        foreach (var adapter in _adapters)
            adapter.Dispose();
        _dropout?.Dispose();
        _optimizer.Dispose();
        _loss.Dispose();
        _share.Dispose();
        _gradientShare.Dispose();
        _model.Dispose();
    }
}
