using System.Text.Json;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>Which tokens begin, end and pad a text, which <c>tokenizer.json</c> itself does not say.</summary>
internal sealed record SpecialTokenRoles(string? Begin, string? End, string? Padding)
{
    private const long LargestFile_bytes = 16 << 20;

    private static readonly string[] _files = ["tokenizer_config.json", "special_tokens_map.json"];

    /// <summary>What the files beside a <c>tokenizer.json</c> say; where they are silent, the usual names among its special tokens.</summary>
    public static SpecialTokenRoles Beside(string path, IReadOnlyList<AddedToken> tokens)
    {
        var roles = new Dictionary<string, string>();
        foreach (var file in _files)
            Read(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, file), roles);
        return new SpecialTokenRoles(Role("bos_token", "<s>", "<|begin_of_text|>"), Role("eos_token", "</s>", "<|end_of_text|>", "<|endoftext|>"), Role("pad_token", "<pad>", "[PAD]"));

        string? Role(string name, params string[] usual) =>
            roles.GetValueOrDefault(name) ?? usual.FirstOrDefault(text => tokens.Any(token => token.Special && token.Content == text));
    }

    private static void Read(string path, Dictionary<string, string> roles)
    {
        try
        {
            if (!File.Exists(path) || new FileInfo(path).Length > LargestFile_bytes)
                return;
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                return;
            foreach (var member in json.RootElement.EnumerateObject())
            {
                var value = member.Value.ValueKind == JsonValueKind.Object && member.Value.TryGetProperty("content", out var content) ? content : member.Value;
                if (member.Name.EndsWith("_token", StringComparison.Ordinal) && value.ValueKind == JsonValueKind.String)
                    roles.TryAdd(member.Name, value.GetString()!);
            }
        }
        catch (Exception mistake) when (mistake is JsonException or IOException or UnauthorizedAccessException or InvalidOperationException)
        {
            // A helper file that cannot be read says nothing.
        }
    }
}
