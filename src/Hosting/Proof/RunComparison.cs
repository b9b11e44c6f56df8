using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Streaming.Model.Adapters;

namespace Streaming.Hosting.Proof;

/// <summary>Compares what two runs of one configuration left behind: tokens, losses, metrics, weights, moments, cursor.</summary>
internal static class RunComparison
{
    /// <returns>A line for each part that was compared.</returns>
    public static IReadOnlyList<Finding> Compare(ProofRun plain, ProofRun killed) =>
    [
        Tokens(plain, killed),
        Metrics(plain, killed),
        .. Checkpoints(plain, killed),
    ];

    /// <param name="Part">What was compared.</param>
    /// <param name="IsEqual">Whether it is the same in both.</param>
    /// <param name="Detail">How much of it, or the first difference.</param>
    public sealed record Finding(string Part, bool IsEqual, string Detail);

    private static Finding Tokens(ProofRun plain, ProofRun killed)
    {
        using var one = File.OpenRead(Path.Combine(plain.Folder, "tokens.bin"));
        using var other = File.OpenRead(Path.Combine(killed.Folder, "tokens.bin"));
        var (left, right) = (new byte[1 << 20], new byte[1 << 20]);
        long compared = 0;
        while (true)
        {
            var count = one.ReadAtLeast(left, left.Length, throwOnEndOfStream: false);
            var also = other.ReadAtLeast(right, right.Length, throwOnEndOfStream: false);
            var expected = MemoryMarshal.Cast<byte, int>(left.AsSpan(0, count));
            var actual = MemoryMarshal.Cast<byte, int>(right.AsSpan(0, also));
            var same = expected.CommonPrefixLength(actual);
            if (same < expected.Length || same < actual.Length)
                return new("tokens", false, Text($"token {compared + same} is {At(expected, same)} in the plain run and {At(actual, same)} in the killed one"));
            compared += same;
            if (count == 0)
                return new("tokens", true, Text($"{compared:#,0} compared one by one"));
        }

        static string At(ReadOnlySpan<int> tokens, int index) => index < tokens.Length ? tokens[index].ToString(CultureInfo.InvariantCulture) : "missing";
    }

    private static Finding Metrics(ProofRun plain, ProofRun killed)
    {
        var (one, other) = (File.ReadAllLines(plain.MetricsPath), File.ReadAllLines(killed.MetricsPath));
        for (var index = 0; index < Math.Max(one.Length, other.Length); index++)
        {
            var (expected, actual) = (WithoutClock(one.ElementAtOrDefault(index)), WithoutClock(other.ElementAtOrDefault(index)));
            if (expected != actual)
                return new("metrics.jsonl", false, $"line {index + 1} is {expected} in the plain run and {actual} in the killed one");
        }
        return new("metrics.jsonl", true, Text($"{one.Length} lines, losses and gradient norms to the last digit, no gap, no repeat"));
    }

    private static IEnumerable<Finding> Checkpoints(ProofRun plain, ProofRun killed)
    {
        var (one, other) = (Last(plain), Last(killed));
        if (one is null || other is null || Path.GetFileName(one) != Path.GetFileName(other))
        {
            yield return new("last checkpoint", false, $"{Path.GetFileName(one) ?? "none"} in the plain run, {Path.GetFileName(other) ?? "none"} in the killed one");
            yield break;
        }
        var weights = File.Exists(Path.Combine(one, AdapterFolder.Weights)) ? AdapterFolder.Weights : "model.safetensors";
        foreach (var (part, file) in new[] { ("weights", weights), ("moments", "optimizer.safetensors") })
        {
            var (expected, actual) = (Hash(one, file), Hash(other, file));
            yield return new(part, expected == actual, expected == actual
                ? $"{Path.GetFileName(one)}/{file}, SHA-256 {expected[..16]}…"
                : $"{file} of {Path.GetFileName(one)} differs: SHA-256 {expected[..16]}… and {actual[..16]}…");
        }
        var (cursor, found) = (Cursor(one), Cursor(other));
        yield return new("place in the text", cursor == found, cursor == found ? "the cursors of the last checkpoints" : $"{cursor} and {found}");
    }

    private static string? Last(ProofRun run) => Directory.Exists(run.CheckpointsPath) ? Directory.GetDirectories(run.CheckpointsPath, "step-*").Max(StringComparer.Ordinal) : null;

    private static string Hash(string checkpoint, string file) =>
        File.ReadLines(Path.Combine(checkpoint, "SHA256SUMS")).First(line => line.EndsWith($"  {file}", StringComparison.Ordinal))[..64];

    private static string Cursor(string checkpoint)
    {
        using var state = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(checkpoint, "state.json")));
        return state.RootElement.GetProperty("cursor").GetRawText();
    }

    /// <summary>A line of the journal without what a clock wrote.</summary>
    private static string WithoutClock(string? line)
    {
        if (line is null)
            return "missing";
        using var json = JsonDocument.Parse(line);
        return string.Join(' ', json.RootElement.EnumerateObject()
            .Where(property => !property.Name.Contains("second", StringComparison.Ordinal))
            .Select(property => $"{property.Name}={property.Value.GetRawText()}"));
    }

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
