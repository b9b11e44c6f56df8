using Streaming.Model.Engines;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Adapters;

/// <summary>A model's weights, whatever they are made of: a whole model's, or adapters merged into the model that they are for. Not thread-safe.</summary>
public sealed class ModelWeights : IWeightSource, IDisposable
{
    private readonly SafetensorsWeights? _files;
    private readonly AdapterFolder? _adapters;
    private readonly IWeightSource _source;

    private ModelWeights(IWeightSource source, SafetensorsWeights? files, AdapterFolder? adapters = null) => (_source, _files, _adapters) = (source, files, adapters);

    /// <summary>The folder with a model's <c>config.json</c>: that of its weights, or, where adapters lie there without one, of the model that they are for.</summary>
    /// <exception cref="ModelException">The adapters' model is not here.</exception>
    public static string HomeOf(string path) =>
        AdapterFolder.IsOne(path) && !File.Exists(Path.Combine(path, "config.json")) ? AdapterFolder.BaseOf(path) : path;

    /// <inheritdoc cref="MistralConfig.Load"/>
    public static MistralConfig LoadConfig(string path) => MistralConfig.Load(HomeOf(path));

    /// <param name="model">The model's shape.</param>
    /// <param name="path">A folder, or a single safetensors file.</param>
    /// <exception cref="ModelException">Missing, damaged, of another shape, or adapters whose model is missing or another one.</exception>
    public static ModelWeights Open(MistralConfig model, string path)
    {
        if (!AdapterFolder.IsOne(path)) return OpenWhole(model, path);
        var @base = AdapterFolder.BaseOf(path);
        SafetensorsWeights? files = null;
        var adapters = AdapterFolder.Open(path, model);
        try
        {
            files = SafetensorsWeights.Open(@base);
            if (adapters.Fingerprint is { } expected && expected != BaseFingerprint.Of(files))
                throw new ModelException($"{path} holds adapters for other weights than those in {@base}: put the model there that they were trained upon");
            return new ModelWeights(new MergedWeights(model, new CheckpointWeights(model, files), adapters.Lora, adapters), files, adapters);
        }
        catch
        {
            files?.Dispose();
            adapters.Dispose();
            throw;
        }
    }

    /// <summary>An engine's present weights; where it trains adapters, merged into the base model, which is read from its folder. Read them on the engine's thread.</summary>
    /// <exception cref="ModelException">The base model is not there any more.</exception>
    public static ModelWeights Of(ITrainingEngine engine)
    {
        var own = new EngineWeights(engine);
        if (engine.Adapters is not { } adapters) return new ModelWeights(own, files: null);
        var whole = OpenWhole(engine.Model, adapters.Base);
        return new ModelWeights(new MergedWeights(engine.Model, whole._source, adapters.Lora, own), whole._files);
    }

    public void Read(ModelParameter parameter, Span<float> destination) => _source.Read(parameter, destination);

    /// <summary>The tensor in the file's memory map; null where it is not there as it is to be.</summary>
    internal (nint Data, TensorType Type)? Mapped(ModelParameter parameter) =>
        _files?.Find(parameter.Name) is not { } tensor || _source is MergedWeights merged && merged.Changes(parameter) ? null : (_files.Pointer(parameter.Name), tensor.Type);

    private static ModelWeights OpenWhole(MistralConfig model, string path)
    {
        var files = SafetensorsWeights.Open(path);
        try
        {
            return new ModelWeights(new CheckpointWeights(model, files), files);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _files?.Dispose();
        _adapters?.Dispose();
    }
}
