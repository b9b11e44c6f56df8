using System.Text.Json;

namespace Streaming.Streams.Tests.Normalization;

/// <summary>What neologdn 0.5.6 and ssplit make of a line.</summary>
internal sealed record NormalizationCase(string Line, string Normalized, string[] Sentences);

internal static class NormalizationCases
{
    private static readonly JsonSerializerOptions CaseInsensitive = new() { PropertyNameCaseInsensitive = true };

    /// <summary>All reference cases; skips the calling test where they are missing.</summary>
    public static IReadOnlyList<NormalizationCase> Read()
    {
        var lines = File.ReadLines(Streaming.Tests.ReferenceData.Path("normalization/neologdn-ssplit-cases.jsonl"));
        NormalizationCase[] cases = [.. lines.Select(line => JsonSerializer.Deserialize<NormalizationCase>(line, CaseInsensitive)!)];
        Assert.Equal(4000, cases.Length);
        return cases;
    }
}
