using System.Text.Encodings.Web;
using System.Text.Json;

namespace Streaming.Model.Adapters;

/// <summary><c>adapter_config.json</c> as PEFT's <c>LoraConfig</c> reads and writes it.</summary>
internal static class AdapterConfigJson
{
    private const int MaximumBytes = 1 << 20;

    // What PEFT can do that is not done here; where one of these is set, the numbers would come out otherwise.
    private static readonly string[] Switches = ["fan_in_fan_out", "use_dora", "use_qalora", "lora_bias"];
    private static readonly string[] Extensions = ["rank_pattern", "alpha_pattern", "modules_to_save", "layer_replication", "megatron_config", "trainable_token_indices", "target_parameters"];

    public static byte[] Write(AdapterSet adapters)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteString("peft_type", "LORA");
            json.WriteString("task_type", "CAUSAL_LM");
            json.WriteString("base_model_name_or_path", adapters.Base);
            json.WriteNumber("r", adapters.Lora.Rank);
            if (adapters.Lora.Alpha == Math.Truncate(adapters.Lora.Alpha)) json.WriteNumber("lora_alpha", (long)adapters.Lora.Alpha);
            else json.WriteNumber("lora_alpha", adapters.Lora.Alpha);
            json.WriteNumber("lora_dropout", adapters.Lora.Dropout);
            json.WriteStartArray("target_modules");
            foreach (var module in adapters.Lora.TargetModules) json.WriteStringValue(module);
            json.WriteEndArray();
            json.WriteString("bias", "none");
            json.WriteBoolean("fan_in_fan_out", false);
            json.WriteBoolean("inference_mode", true);
            json.WriteBoolean("init_lora_weights", true);
            json.WriteNull("modules_to_save");
            json.WriteEndObject();
        }
        return [.. buffer.ToArray(), (byte)'\n'];
    }

    /// <returns>Rank, alpha and dropout (the modules are those that the weights have), and the base model's place, empty where none is named.</returns>
    /// <exception cref="ModelException">Not there, no JSON, or adapters of another kind.</exception>
    public static (LoraOptions Lora, string Base) Read(string path)
    {
        try
        {
            if (new FileInfo(path).Length > MaximumBytes)
                throw new ModelException($"{path} is too long for an adapter_config.json");
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var json = new JsonValues(path, document.RootElement);
            if (json.Text("peft_type") is var kind and not "LORA")
                throw json.Refuse("peft_type", kind ?? "null", "LORA, the only adapters that can be read");
            if (json.Text("bias") is { } bias and not "none")
                throw json.Refuse("bias", bias, "none: Mistral has no biases");
            foreach (var name in Switches)
                if (json.Has(name) && json.Boolean(name, absent: false)) throw json.Refuse(name, "true", "false: such adapters cannot be read");
            foreach (var name in Extensions)
                if (json.Has(name) && !IsEmpty(document.RootElement.GetProperty(name))) throw json.Refuse(name, "set", "empty: such adapters cannot be read");
            var rank = json.Integer("r", 1, 1 << 20);
            var alpha = json.Number("lora_alpha", "a number above 0", value => value > 0, absent: 8);
            // rsLoRA divides by the root of the rank instead.
            if (json.Has("use_rslora") && json.Boolean("use_rslora", absent: false)) alpha *= Math.Sqrt(rank);
            return (new LoraOptions { Rank = rank, Alpha = alpha, Dropout = json.Number("lora_dropout", "from 0 to below 1", value => value is >= 0 and < 1, absent: 0) },
                json.Text("base_model_name_or_path") ?? "");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new ModelException($"{path} is not JSON: {JsonObjectText.OneLine(exception)}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ModelException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    private static bool IsEmpty(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };
}
