using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Adapters;

/// <summary>
/// A folder of LoRA adapters as PEFT saves them, this program's checkpoints among them: <c>adapter_config.json</c> and
/// <c>adapter_model.safetensors</c>, for a model that lies elsewhere.
/// </summary>
public sealed class AdapterFolder : IWeightSource, IDisposable
{
    /// <summary>Names of the two files.</summary>
    public const string Config = "adapter_config.json", Weights = "adapter_model.safetensors";

    /// <summary>Metadata of <see cref="Weights"/>: what the base model was when they were written.</summary>
    internal const string BaseFingerprintKey = "base_fingerprint";

    private readonly SafetensorsFile _file;

    private AdapterFolder(string path, SafetensorsFile file, LoraOptions lora, string @base) => (Path, _file, Lora, Base) = (path, file, lora, @base);

    public string Path { get; }
    public LoraOptions Lora { get; }

    /// <summary>The base model's place as the config has it, or empty.</summary>
    public string Base { get; }

    /// <summary>Of the base model; null where whoever wrote the adapters did not say.</summary>
    public string? Fingerprint => _file.Metadata.GetValueOrDefault(BaseFingerprintKey);

    /// <summary>The folder holds adapters and no model of its own.</summary>
    public static bool IsOne(string path) => File.Exists(System.IO.Path.Combine(path, Config))
        && !File.Exists(System.IO.Path.Combine(path, "model.safetensors")) && !File.Exists(System.IO.Path.Combine(path, "model.safetensors.index.json"));

    /// <summary>The adapters of a model, checked as a whole.</summary>
    /// <exception cref="ModelException">Missing, damaged, of another kind or of another model.</exception>
    public static AdapterFolder Open(string path, MistralConfig model)
    {
        var (lora, @base) = AdapterConfigJson.Read(System.IO.Path.Combine(path, Config));
        var file = SafetensorsFile.Open(System.IO.Path.Combine(path, Weights));
        try
        {
            var modules = file.Tensors.Select(tensor => AdaptedMatrix.ModuleOf(tensor.Name)).ToHashSet();
            lora = lora with { TargetModules = [.. LoraOptions.KnownModules.Where(modules.Contains)] };
            var expected = AdaptedMatrix.ParametersOf(model, lora);
            foreach (var parameter in expected)
            {
                var tensor = file.Find(parameter.Name) ?? throw new SafetensorsException($"{file.Path} lacks '{parameter.Name}', which adapters of this model have");
                if (!tensor.Shape.SequenceEqual(parameter.Shape))
                    throw new SafetensorsException($"{file.Path}: '{parameter.Name}' has the shape [{string.Join(", ", tensor.Shape)}], rank and model ask for [{string.Join(", ", parameter.Shape)}]");
            }
            var names = expected.Select(parameter => parameter.Name).ToHashSet(StringComparer.Ordinal);
            if (file.Tensors.FirstOrDefault(tensor => !names.Contains(tensor.Name)) is { } unknown)
                throw new SafetensorsException($"{file.Path} holds '{unknown.Name}', which is no adapter of this model's {string.Join(", ", LoraOptions.KnownModules)}");
            if (expected.Count == 0)
                throw new SafetensorsException($"{file.Path} holds no adapter");
            return new AdapterFolder(path, file, lora, @base);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The folder of the base model that an adapter's config names.</summary>
    /// <exception cref="ModelException">It names none, or there is none.</exception>
    public static string BaseOf(string path)
    {
        var config = System.IO.Path.Combine(path, Config);
        var named = AdapterConfigJson.Read(config).Base;
        if (named.Length == 0)
            throw new ModelException($"{config} names no base model: set base_model_name_or_path to its folder");
        foreach (var place in new[] { named, System.IO.Path.Combine(path, named) })
        {
            if (!Directory.Exists(place) && !File.Exists(place)) continue;
            return IsOne(place) ? throw new ModelException($"{config} names {named} as the base model, which holds adapters itself: merge those first, by export")
                : System.IO.Path.GetFullPath(place);
        }
        throw new ModelException($"{config} names {named} as the base model, and there is no such folder here: put the model there, or set base_model_name_or_path to where it is");
    }

    public void Read(ModelParameter parameter, Span<float> destination) => _file.Read(parameter.Name, destination);

    public void Dispose() => _file.Dispose();
}
