using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Writes the files from which Hugging Face Transformers loads a SentencePiece model, with the same ids:
/// <c>tokenizer.json</c> (the fast tokenizer), <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and, for
/// T5Tokenizer, a unigram model itself under the name <c>spiece.model</c>; LlamaTokenizer reads <c>tokenizer.model</c>. A tokenizer
/// that is a <c>tokenizer.json</c> already keeps the files that lie beside it.
/// </summary>
public static class HuggingFaceTokenizerFiles
{
    private const string Fast = "tokenizer.json", Configuration = "tokenizer_config.json", SpecialTokensMap = "special_tokens_map.json", Model = "spiece.model";

    // Unescaped, so that people can read and search the pieces.
    private static readonly JsonWriterOptions _format = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The files that are written for a unigram model.</summary>
    public static IReadOnlyList<string> Names { get; } = [Fast, Configuration, SpecialTokensMap, Model];

    /// <summary>Writes the files into a folder that exists; files of the same names are replaced.</summary>
    /// <param name="modelPath">A <c>.model</c> file of any origin, or a <c>tokenizer.json</c>.</param>
    /// <param name="folder">Receives the files.</param>
    /// <exception cref="InvalidDataException">The file is no tokenizer.</exception>
    /// <exception cref="IOException">A file cannot be read or written.</exception>
    public static void Write(string modelPath, string folder)
    {
        foreach (var (name, bytes) in Make(modelPath))
            File.WriteAllBytes(Path.Combine(folder, name), bytes);
        var copy = Path.Combine(folder, Model);
        if (TextTokenizer.Load(modelPath) is PieceTokenizer { IsBytePair: false } && Path.GetFullPath(copy) != Path.GetFullPath(modelPath))
            File.Copy(modelPath, copy, overwrite: true);
    }

    /// <summary>What AutoTokenizer reads, in memory: all files but the tokenizer's own.</summary>
    /// <param name="modelPath">A <c>.model</c> file of any origin, or a <c>tokenizer.json</c>.</param>
    /// <exception cref="InvalidDataException">The file is no tokenizer.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<(string Name, byte[] Bytes)> Make(string modelPath)
    {
        if (TextTokenizer.Load(modelPath) is JsonTokenizer json) // refuses what is no sound tokenizer
            return Beside(modelPath, json);
        var model = SentencePieceModelReader.Read(modelPath);
        var special = new SpecialTokens(model);
        var begin = BeginsTexts(modelPath) ? special.Roles.FirstOrDefault(role => role.Role == "bos_token").Token : null;
        return
        [
            (Fast, Json(json => FastTokenizerJson.Write(json, model, begin))),
            (SpecialTokensMap, Json(json =>
            {
                json.WriteStartObject();
                foreach (var (role, token) in special.Roles)
                    json.WriteString(role, token);
                json.WriteEndObject();
            })),
            (Configuration, Json(json => WriteConfiguration(json, model, special, addsBegin: begin is not null))),
        ];
    }

    /// <summary>A model that comes with Transformers' files keeps what they say of its texts' begin, as Mistral's do.</summary>
    private static bool BeginsTexts(string modelPath)
    {
        try
        {
            var beside = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(modelPath))!, Configuration);
            using var json = File.Exists(beside) ? JsonDocument.Parse(File.ReadAllBytes(beside)) : null;
            return json?.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("add_bos_token", out var adds) && adds.ValueKind == JsonValueKind.True;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static IReadOnlyList<(string Name, byte[] Bytes)> Beside(string path, JsonTokenizer tokenizer)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        string[] found = [.. new[] { Configuration, SpecialTokensMap }.Where(name => File.Exists(Path.Combine(folder, name)))];
        if (found.Contains(Configuration))
            return [.. found.Select(name => (name, File.ReadAllBytes(Path.Combine(folder, name))))];
        return
        [
            .. found.Select(name => (name, File.ReadAllBytes(Path.Combine(folder, name)))),
            (Configuration, Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
                foreach (var (role, id) in new[] { ("bos_token", tokenizer.BosId), ("eos_token", tokenizer.EosId), ("pad_token", tokenizer.PadId) })
                {
                    if (id is { } token)
                        json.WriteString(role, tokenizer.IdToPiece(token));
                }
                json.WriteBoolean("clean_up_tokenization_spaces", false);
                json.WriteEndObject();
            })),
        ];
    }

    private static void WriteConfiguration(Utf8JsonWriter json, SentencePieceModel model, SpecialTokens special, bool addsBegin)
    {
        json.WriteStartObject();
        // The class that takes tokenizer.json as it is, in every version of Transformers.
        json.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
        foreach (var (role, token) in special.Roles)
            json.WriteString(role, token);
        json.WriteBoolean("add_bos_token", addsBegin);
        json.WriteBoolean("add_eos_token", false);
        json.WriteBoolean("add_prefix_space", model.Normalizer!.AddDummyPrefix);
        json.WriteBoolean("clean_up_tokenization_spaces", false);
        json.WriteNumber("extra_ids", 0);      // T5Tokenizer: no pieces of its own
        json.WriteBoolean("legacy", true);     // T5Tokenizer, LlamaTokenizer: text goes to SentencePiece as it is
        json.WriteBoolean("use_default_system_prompt", false);
        // From Transformers 5 on T5Tokenizer and LlamaTokenizer make a tokenizer of their own kind from the vocabulary, unless this
        // is set: then they take tokenizer.json as it is. Nothing is executed, as there is no code in the folder.
        json.WriteBoolean("trust_remote_code", true);
        json.WriteNumber("model_max_length", 1_000_000_000_000); // no limit of the tokenizer's own
        json.WriteStartObject("added_tokens_decoder");
        foreach (var (id, token) in special.Tokens)
        {
            json.WriteStartObject(id.ToString(System.Globalization.CultureInfo.InvariantCulture));
            SpecialTokens.WriteFields(json, token);
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static byte[] Json(Action<Utf8JsonWriter> write)
    {
        using var file = new MemoryStream();
        using (var json = new Utf8JsonWriter(file, _format))
            write(json);
        file.WriteByte((byte)'\n');
        return file.ToArray();
    }
}
