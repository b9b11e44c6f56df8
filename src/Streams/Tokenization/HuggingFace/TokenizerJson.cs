using System.Text.Json;
using Streaming.Streams.Records;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>What a <c>tokenizer.json</c> of the tokenizers library (version 1.0) says. Immutable.</summary>
internal sealed class TokenizerJson
{
    private const long LargestFile_bytes = 256 << 20;

    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }
    public required IReadOnlyList<TextStep> Normalizer { get; init; }
    public required IReadOnlyList<WordStep> PreTokenizer { get; init; }
    public required JsonModel Model { get; init; }

    /// <summary>Makes the stages of one text's decoder, in order.</summary>
    public required Func<IReadOnlyList<DecoderStage>> Decoder { get; init; }

    /// <summary>The first token that the post-processor puts before a text; null where it puts none.</summary>
    public required string? FirstToken { get; init; }

    /// <summary>Reads a file's bytes.</summary>
    /// <exception cref="FormatException">The beginning of a sentence: what is wrong, or not supported, and where.</exception>
    public static TokenizerJson Read(ReadOnlyMemory<byte> file)
    {
        try
        {
            using var json = JsonDocument.Parse(file);
            var root = new JsonPart(json.RootElement, "");
            if (root.IsObject && root.Find("model") is null)
                throw new FormatException("it holds no model");
            var model = JsonModel.Read(root.Require("model"));
            return new TokenizerJson
            {
                AddedTokens = ReadAddedTokens(root.Find("added_tokens"), model.Vocabulary),
                Normalizer = ComponentReader.Normalizer(root.Find("normalizer")),
                PreTokenizer = ComponentReader.PreTokenizer(root.Find("pre_tokenizer")),
                Model = model,
                Decoder = ComponentReader.Decoder(root.Find("decoder")),
                FirstToken = ComponentReader.FirstToken(root.Find("post_processor")),
            };
        }
        catch (JsonException wrong)
        {
            throw new FormatException($"it is no JSON ({JsonMistake.InWords(wrong)})", wrong);
        }
    }

    /// <summary>A file's bytes, where it is not larger than any tokenizer.</summary>
    /// <exception cref="InvalidDataException">It is a folder, or too large.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static byte[] ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw new InvalidDataException($"{path} is a folder; give the tokenizer.json in it.");
        if (!File.Exists(path))
            throw new FileNotFoundException($"{path} does not exist; give a tokenizer.json, or a SentencePiece .model file.", path);
        using var file = File.OpenRead(path);
        using var bytes = new MemoryStream();
        var chunk = new byte[1 << 16];
        for (int read; (read = file.Read(chunk)) > 0;)
        {
            if (bytes.Length + read > LargestFile_bytes)
                throw new InvalidDataException($"{path} is larger than {LargestFile_bytes >> 20} MiB, which no tokenizer.json is; give the one that belongs to the model.");
            bytes.Write(chunk, 0, read);
        }
        return bytes.ToArray();
    }

    // The library numbers them itself: a piece of the model keeps its id, others follow the vocabulary, whatever the file says.
    private static List<AddedToken> ReadAddedTokens(JsonPart? part, Dictionary<string, int> vocabulary)
    {
        var tokens = new List<AddedToken>();
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        var next = vocabulary.Count;
        foreach (var item in part?.Items() ?? [])
        {
            item.Require("id").Number(JsonModel.HighestId);
            var (content, isSpecial) = (item.Require("content").Text(), item.Switch("special", false));
            if (content.Length == 0)
                continue;
            if (!vocabulary.TryGetValue(content, out var id) && !ids.TryGetValue(content, out id))
                id = next;
            next = Math.Max(next, id + 1);
            ids[content] = id;
            tokens.Add(new AddedToken(
                id, content, item.Switch("single_word", false), item.Switch("lstrip", false), item.Switch("rstrip", false), item.Switch("normalized", !isSpecial), isSpecial));
        }
        return tokens;
    }
}
