using System.Text.Json;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;
using Streaming.Tests;

namespace Streaming.Streams.Tests.Tokenization;

/// <summary>What the C++ SentencePiece makes of a text.</summary>
internal sealed record TokenizerCase(string Text, int[] Ids, string? Decoded);

/// <summary>Models and the reference's answers for them.</summary>
internal static class TokenizerCases
{
    private static readonly JsonSerializerOptions CamelCase = new(JsonSerializerDefaults.Web);

    private static readonly Lazy<TextTokenizer> Japanese = new(() => TextTokenizer.Load(ReferenceData.Path("tokenizer/spm-ja-50k.model")));

    /// <summary>The 50,000-piece model of the reference data; skips the test where it is missing.</summary>
    public static TextTokenizer LoadJapanese()
    {
        ReferenceData.Path("tokenizer/spm-ja-50k.model");
        return Japanese.Value;
    }

    public static IEnumerable<TokenizerCase> ReadJapanese() => Read(ReferenceData.Path("tokenizer/spm-ja-50k-cases.jsonl"));

    /// <summary>The path of a model in Models/, by name.</summary>
    public static string SmallModelPath(string name) =>
        Path.Combine(ReferenceData.RepositoryRoot, "tests", "Streams.Tests", "Tokenization", "Models", name + ".model");

    public static TextTokenizer LoadSmall(string name) => TextTokenizer.Load(SmallModelPath(name));

    public static IEnumerable<TokenizerCase> ReadSmall(string name) => Read(SmallModelPath(name).Replace(".model", "-cases.jsonl"));

    public static int[] Encode(this TextTokenizer tokenizer, string text)
    {
        var ids = new TokenBuffer();
        tokenizer.CreateEncoder().Encode(text, ids);
        return ids.Span.ToArray();
    }

    private static IEnumerable<TokenizerCase> Read(string path) =>
        File.ReadLines(path).Select(line => JsonSerializer.Deserialize<TokenizerCase>(line, CamelCase)!);
}
