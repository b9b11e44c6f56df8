using System.Globalization;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Streams.Instructions;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Generation;

/// <summary>
/// A Hugging Face folder that generates: its shape, its tokenizer and what ends a text. Errors: <see cref="UserErrorException"/>,
/// one sentence.
/// </summary>
internal sealed class ModelFolder
{
    private static readonly string[] _tokenizerFiles = [TextTokenizer.ModelFileName, "spiece.model", TextTokenizer.JsonFileName];

    private ModelFolder(
        string path, string home, MistralConfig config, string tokenizerPath, TextTokenizer tokenizer, IReadOnlyList<int> endTokens, bool beginsWithBos, InstructionTemplate? template)
    {
        (Path, Home, Config, TokenizerPath, Tokenizer, EndTokens, BeginsWithBos) = (path, home, config, tokenizerPath, tokenizer, endTokens, beginsWithBos);
        (Template, IsTuned) = (template ?? InstructionTemplate.Recipe, template is not null);
        Name = System.IO.Path.GetFileName(path.TrimEnd(System.IO.Path.DirectorySeparatorChar));
    }

    public string Path { get; }

    /// <summary>The folder with <c>config.json</c>: another one where adapters lie at <see cref="Path"/> without it, that of their model.</summary>
    public string Home { get; }

    /// <summary>The folder's own name, by which the API lists the model.</summary>
    public string Name { get; }

    public MistralConfig Config { get; }

    public TextTokenizer Tokenizer { get; }

    /// <summary>The tokenizer's file.</summary>
    public string TokenizerPath { get; }

    /// <summary>Tokens that end a text: <c>eos_token_id</c> of <c>generation_config.json</c>, else of <c>config.json</c>.</summary>
    public IReadOnlyList<int> EndTokens { get; }

    /// <summary>Prompts begin with the begin token: <c>add_bos_token</c> of <c>tokenizer_config.json</c>, else the template of <c>tokenizer.json</c>.</summary>
    public bool BeginsWithBos { get; }

    /// <summary>How it is asked to do something: as it was tuned, else as the recipe does.</summary>
    public InstructionTemplate Template { get; }

    /// <summary>The folder says how it was tuned.</summary>
    public bool IsTuned { get; }

    /// <param name="path">A folder as Transformers writes it, adapters as PEFT does, a checkpoint, or a run's folder, whose newest checkpoint is taken.</param>
    /// <param name="tokenizer">A SentencePiece model or a tokenizer.json; null takes the folder's.</param>
    /// <param name="option">By which the user named the folder.</param>
    public static ModelFolder Open(string path, string? tokenizer = null, string option = "--model")
    {
        var folder = Resolve(path, option);
        var (home, config) = LoadConfig(folder, option);
        var file = tokenizer ?? FindTokenizer(folder, home, option);
        var pieces = LoadTokenizer(file);
        if (pieces.VocabularySize > config.VocabularySize)
            throw new UserErrorException($"{option}: {file} has {pieces.VocabularySize} pieces, more than the model's vocabulary of {config.VocabularySize} in {folder}; give the tokenizer that the model was made for with --tokenizer.");
        return new ModelFolder(folder, home, config, file, pieces, ReadEndTokens(home, config), ReadSwitch(home, "tokenizer_config.json", "add_bos_token") ?? pieces.AddsBos ?? false, ReadTemplate(folder, option));
    }

    /// <summary>What encodes instructions in the model's template; not thread-safe.</summary>
    public PromptEncoder CreatePromptEncoder() => new(Tokenizer, Template);

    /// <summary>The ids of a prompt; empty where it has none.</summary>
    public int[] Encode(string text)
    {
        var ids = new TokenBuffer();
        if (BeginsWithBos && (Tokenizer.BosId ?? Config.BosTokenId) is { } begin)
            ids.Add(begin);
        var first = ids.Count;
        Tokenizer.CreateEncoder().Encode(text, ids);
        return ids.Count == first ? [] : ids.Span.ToArray();
    }

    /// <summary>The folder that holds <c>config.json</c>: the path, its target, or the newest checkpoint of the run there.</summary>
    public static string Resolve(string path, string option = "--model")
    {
        if (path.Length == 0)
            throw new UserErrorException($"{option} is empty; give a folder with config.json, model.safetensors and tokenizer.model, a checkpoint or a run.");
        var newest = System.IO.Path.Combine(path, "checkpoints", "latest");
        if (!File.Exists(System.IO.Path.Combine(path, "config.json")) && !AdapterFolder.IsOne(path) && Directory.Exists(newest))
            path = newest;
        if (!Directory.Exists(path))
            throw new UserErrorException($"{option}: there is no folder {path}; give one with config.json, model.safetensors and tokenizer.model, a checkpoint or a run.");
        // "latest" moves on while a run trains: what is opened is the checkpoint that it points at now.
        return Directory.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? System.IO.Path.GetFullPath(path);
    }

    private static (string Home, MistralConfig Config) LoadConfig(string folder, string option)
    {
        try
        {
            var home = ModelWeights.HomeOf(folder);
            if (!File.Exists(System.IO.Path.Combine(home, "config.json")))
                throw new UserErrorException($"{option}: {home} holds no config.json; give a folder as Transformers writes it, a checkpoint, or a run.");
            return (home, MistralConfig.Load(home));
        }
        catch (ModelException mistake)
        {
            throw new UserErrorException($"{option}: {mistake.Message.TrimEnd('.')}.");
        }
    }

    private static string FindTokenizer(string folder, string home, string option)
    {
        string[] found = [.. new[] { folder, home }.Distinct().SelectMany(place => _tokenizerFiles.Select(name => System.IO.Path.Combine(place, name))).Where(File.Exists)];
        if (found.Length == 0)
            throw new UserErrorException($"{option}: {folder} holds no {TextTokenizer.ModelFileName} and no {TextTokenizer.JsonFileName}; give one with --tokenizer.");
        // Tokens that were added to a model later stand in tokenizer.json only.
        var extended = Array.FindLast(found, TextTokenizer.IsJson);
        return extended is not null && HighestAddedToken(System.IO.Path.GetDirectoryName(extended)!) is { } highest && highest >= LoadTokenizer(found[0]).VocabularySize ? extended : found[0];
    }

    private static TextTokenizer LoadTokenizer(string path)
    {
        try
        {
            return TextTokenizer.Load(path);
        }
        catch (Exception mistake) when (mistake is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--tokenizer: {mistake.Message.TrimEnd('.')}.");
        }
    }

    private static IReadOnlyList<int> ReadEndTokens(string folder, MistralConfig config)
    {
        foreach (var file in new[] { "generation_config.json", "config.json" })
        {
            using var json = TryParse(System.IO.Path.Combine(folder, file));
            if (json?.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("eos_token_id", out var value))
                continue;
            if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var one) && (uint)one < (uint)config.VocabularySize)
                return [one];
            if (value.ValueKind == JsonValueKind.Array)
                return [.. value.EnumerateArray().Where(id => id.ValueKind == JsonValueKind.Number).Select(id => id.TryGetInt32(out var token) ? token : -1).Where(id => (uint)id < (uint)config.VocabularySize)];
        }
        return config.EosTokenId is { } end ? [end] : [];
    }

    private static InstructionTemplate? ReadTemplate(string folder, string option)
    {
        try
        {
            return InstructionTemplate.Find(folder);
        }
        catch (Exception mistake) when (mistake is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{option}: {mistake.Message.TrimEnd('.')}; write it anew, or take it away to ask the model as the recipe does.");
        }
    }

    private static bool? ReadSwitch(string folder, string file, string key)
    {
        using var json = TryParse(System.IO.Path.Combine(folder, file));
        return json?.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty(key, out var value)
            ? value.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null }
            : null;
    }

    private static int? HighestAddedToken(string folder)
    {
        using var json = TryParse(System.IO.Path.Combine(folder, "tokenizer_config.json"));
        if (json?.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("added_tokens_decoder", out var tokens) || tokens.ValueKind != JsonValueKind.Object)
            return null;
        return tokens.EnumerateObject().Select(token => int.TryParse(token.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : -1).DefaultIfEmpty(-1).Max();
    }

    /// <summary>A file beside the model that Transformers may have written; null where it is missing or unreadable.</summary>
    private static JsonDocument? TryParse(string path)
    {
        try
        {
            return File.Exists(path) && new FileInfo(path).Length < 1 << 24 ? JsonDocument.Parse(File.ReadAllBytes(path)) : null;
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
