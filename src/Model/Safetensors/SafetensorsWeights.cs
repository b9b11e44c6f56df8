using System.Text.Json;

namespace Streaming.Model.Safetensors;

/// <summary>
/// The weights of a Hugging Face checkpoint folder: <c>model.safetensors</c>, or the shards that
/// <c>model.safetensors.index.json</c> names. Not thread-safe.
/// </summary>
public sealed class SafetensorsWeights : IDisposable
{
    private const string Single = "model.safetensors", Index = "model.safetensors.index.json";
    private const long MaximumIndexBytes = 64 << 20;

    private readonly Dictionary<string, SafetensorsFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafetensorsFile> _byTensor = new(StringComparer.Ordinal);

    private SafetensorsWeights(string path) => Path = path;

    /// <summary>The folder or file that was opened.</summary>
    public string Path { get; }

    public IReadOnlyCollection<string> Names => _byTensor.Keys;

    /// <summary>Opens a folder, or a single safetensors file.</summary>
    /// <exception cref="SafetensorsException">Nothing to read there, or damaged.</exception>
    public static SafetensorsWeights Open(string path)
    {
        var weights = new SafetensorsWeights(path);
        try
        {
            if (File.Exists(path))
                weights.AddWhole(path);
            else if (!Directory.Exists(path))
                throw new SafetensorsException($"there is no file or folder {path}");
            else if (File.Exists(System.IO.Path.Combine(path, Single)))
                weights.AddWhole(System.IO.Path.Combine(path, Single));
            else if (File.Exists(System.IO.Path.Combine(path, Index)))
                weights.AddShards(path);
            else
                throw new SafetensorsException($"{path} holds neither {Single} nor {Index}{(Directory.EnumerateFiles(path, "*.bin").Any() ? "; save the model anew with Transformers (save_pretrained), which writes safetensors" : "")}");
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that name, or null.</summary>
    public TensorEntry? Find(string name) => _byTensor.GetValueOrDefault(name)?.Find(name);

    /// <summary>Copies a tensor as float32; see <see cref="SafetensorsFile.Read(string, Span{float})"/>.</summary>
    public void Read(string name, Span<float> destination)
    {
        var file = _byTensor.GetValueOrDefault(name) ?? throw new SafetensorsException($"{Path} holds no tensor '{name}'");
        file.Read(name, destination);
    }

    /// <summary>Copies part of a tensor as float32; see <see cref="SafetensorsFile.Read(string, long, Span{float})"/>.</summary>
    internal void Read(string name, long first, Span<float> destination) => _byTensor[name].Read(name, first, destination);

    /// <summary>Where a tensor is mapped; see <see cref="SafetensorsFile.Pointer"/>.</summary>
    internal nint Pointer(string name) => _byTensor[name].Pointer(name);

    private void AddWhole(string path)
    {
        var file = _files[""] = SafetensorsFile.Open(path);
        foreach (var tensor in file.Tensors)
            _byTensor[tensor.Name] = file;
    }

    private void AddShards(string folder)
    {
        var index = System.IO.Path.Combine(folder, Index);
        foreach (var (tensor, name) in ReadIndex(index))
        {
            // A shard lies beside its index: a name that leads elsewhere is not followed.
            if (name.Length == 0 || name is "." or ".." || System.IO.Path.GetFileName(name) != name)
                throw new SafetensorsException($"{index}: weight_map sends '{tensor}' to '{name}', which is no name of a file beside it");
            if (!_files.TryGetValue(name, out var file))
            {
                var shard = System.IO.Path.Combine(folder, name);
                if (!File.Exists(shard))
                    throw new SafetensorsException($"{folder} lacks {name}, which {Index} names; copy or download it");
                _files[name] = file = SafetensorsFile.Open(shard);
            }
            if (file.Find(tensor) is null)
                throw new SafetensorsException($"{index}: weight_map sends '{tensor}' to {name}, which holds no such tensor");
            _byTensor[tensor] = file;
        }
    }

    private static List<(string Tensor, string File)> ReadIndex(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            if (stream.Length > MaximumIndexBytes)
                throw new SafetensorsException($"{path} has {stream.Length} bytes, more than {MaximumIndexBytes}");
            using var json = JsonDocument.Parse(stream);
            if (json.RootElement.ValueKind != JsonValueKind.Object
                || !json.RootElement.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
                throw new SafetensorsException($"{path} has no weight_map from tensors to files");
            return [.. map.EnumerateObject().Select(entry => (entry.Name, entry.Value.ValueKind == JsonValueKind.String
                ? entry.Value.GetString()!
                : throw new SafetensorsException($"{path}: weight_map sends '{entry.Name}' to {entry.Value.GetRawText()}, which is no file")))];
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new SafetensorsException($"{path} is not JSON: {JsonObjectText.OneLine(exception)}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new SafetensorsException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    public void Dispose()
    {
        foreach (var file in _files.Values)
            file.Dispose();
        _files.Clear();
        _byTensor.Clear();
    }
}
