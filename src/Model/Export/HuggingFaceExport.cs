using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Export;

/// <summary>
/// Writes a model as Transformers saves it: <c>config.json</c>, <c>generation_config.json</c> and the weights, in one file or
/// in shards with their index. One tensor at a time is in memory.
/// </summary>
public static class HuggingFaceExport
{
    private const string Single = "model.safetensors", Index = "model.safetensors.index.json";

    /// <param name="model">The model's shape.</param>
    /// <param name="weights">Where its weights come from.</param>
    /// <param name="folder">Exists; files of the same names are replaced.</param>
    /// <param name="options">Type and size of the files.</param>
    /// <returns>The files of weights, in order.</returns>
    /// <exception cref="ModelException">A weight does not fit the type.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static IReadOnlyList<string> Write(MistralConfig model, IWeightSource weights, string folder, ExportOptions options)
    {
        model.Save(Path.Combine(folder, "config.json"), options.TorchName);
        File.WriteAllText(Path.Combine(folder, "generation_config.json"), GenerationConfig(model));
        var shards = Shards(ModelParameter.Of(model), options);
        string[] names = [.. shards.Select((_, i) => shards.Count == 1 ? Single : FormattableString.Invariant($"model-{i + 1:D5}-of-{shards.Count:D5}.safetensors"))];
        for (var i = 0; i < shards.Count; i++)
            WriteShard(Path.Combine(folder, names[i]), shards[i], weights, options);
        if (shards.Count > 1)
            WriteIndex(Path.Combine(folder, Index), shards, names, options);
        return names;
    }

    /// <summary>As Transformers does it: tensors in their order, a new file where the next would make one too large.</summary>
    private static List<List<ModelParameter>> Shards(IReadOnlyList<ModelParameter> parameters, ExportOptions options)
    {
        var shards = new List<List<ModelParameter>> { new() };
        long size = 0;
        foreach (var parameter in parameters)
        {
            var bytes = parameter.Count * TensorEntry.SizeOf(options.Type);
            if (size + bytes > options.MaxShardBytes && shards[^1].Count > 0)
            {
                shards.Add([]);
                size = 0;
            }
            shards[^1].Add(parameter);
            size += bytes;
        }
        return shards;
    }

    private static void WriteShard(string path, List<ModelParameter> parameters, IWeightSource weights, ExportOptions options)
    {
        using var file = File.Create(path);
        var writer = SafetensorsWriter.Begin(file, parameters.Select(parameter => (parameter.Name, options.Type, parameter.Shape)));
        foreach (var parameter in parameters)
        {
            var values = new float[parameter.Count];
            weights.Read(parameter, values);
            options.Check(parameter.Name, values);
            writer.Write(values);
        }
        writer.Complete();
    }

    private static void WriteIndex(string path, List<List<ModelParameter>> shards, string[] names, ExportOptions options)
    {
        using var file = File.Create(path);
        using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", shards.Sum(shard => shard.Sum(parameter => parameter.Count)) * TensorEntry.SizeOf(options.Type));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        for (var i = 0; i < shards.Count; i++)
        {
            foreach (var parameter in shards[i])
                json.WriteString(parameter.Name, names[i]);
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>What Transformers' <c>generate</c> begins and ends with.</summary>
    public static string GenerationConfig(MistralConfig model)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            foreach (var (key, value) in new[] { ("bos_token_id", model.BosTokenId), ("eos_token_id", model.EosTokenId), ("pad_token_id", model.PadTokenId) })
            {
                if (value is { } id)
                    json.WriteNumber(key, id);
            }
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length) + "\n";
    }
}
