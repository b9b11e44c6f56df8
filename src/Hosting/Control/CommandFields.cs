using System.Globalization;
using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;
using Streaming.Hosting.Http;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Control;

/// <summary>Reads the fields of a command; ranges are those of the configuration's keys.</summary>
internal static class CommandFields
{
    public const int LongestPrompt = 8192;
    private const int LongestSample = 1024; // training stands still meanwhile

    private static readonly Dictionary<string, Key> _settings = new()
    {
        ["learning_rate"] = Keys.LearningRate,
        ["max_steps"] = Keys.MaxSteps,
        ["eval_steps"] = Keys.EvalSteps,
        ["save_steps"] = Keys.SaveSteps,
        ["log_level"] = Keys.LogLevel,
    };

    /// <summary>Names of what can be set.</summary>
    public static IReadOnlyCollection<string> Settings => _settings.Keys;

    /// <summary>No fields at all.</summary>
    public static void RequireNone(JsonElement body)
    {
        foreach (var field in body.EnumerateObject())
            throw RefusedFieldException.Unknown(field.Name, []);
    }

    /// <param name="body">The request's.</param>
    /// <param name="step">Steps taken: the run cannot end before them.</param>
    /// <param name="configured">What the configuration says.</param>
    /// <returns>By <see cref="RunSetting.Name"/>; null where the configuration's value comes back.</returns>
    public static Dictionary<string, double?> ReadSettings(JsonElement body, long step, RunOptions configured)
    {
        var run = new Dictionary<string, double?>();
        foreach (var field in body.EnumerateObject())
        {
            if (!_settings.TryGetValue(field.Name, out var key))
                throw RefusedFieldException.Unknown(field.Name, _settings.Keys);
            object? value = null;
            if (field.Value.ValueKind != JsonValueKind.Null && !TryRead(key, field.Value, out value))
                throw OutOfRange(field.Name, key.Allowed, field.Value);
            if (key == Keys.MaxSteps && (value as long? ?? configured.Training.MaxSteps) is var steps && steps <= step)
                throw OutOfRange(field.Name, $"an integer, {step + 1} or more", field.Value, value is null ? $", and {steps} is configured" : "");
            run[field.Name.Replace('_', '-')] = value is null ? null : Convert.ToDouble(value, CultureInfo.InvariantCulture);
        }
        return run.Count > 0
            ? run
            : throw new RefusedFieldException(400, null, $"nothing to set: give one or more of {string.Join(", ", _settings.Keys)}");
    }

    public static ControlProtocol.Sample ReadSample(JsonElement body, string by, RunOptions run)
    {
        var (prompt, tokens) = (run.Evaluation.SamplePrompt, Math.Min(run.Evaluation.SampleTokens, LongestSample));
        var sampling = new SamplingOptions();
        foreach (var field in body.EnumerateObject())
        {
            switch (field.Name)
            {
                case "prompt":
                    prompt = field.Value.ValueKind == JsonValueKind.String && field.Value.GetString() is { Length: > 0 and <= LongestPrompt } text
                        ? text
                        : throw OutOfRange(field.Name, $"text of 1 to {LongestPrompt} characters", field.Value);
                    break;
                case "max_new_tokens":
                    tokens = ReadInteger(field, 1, LongestSample);
                    break;
                case "temperature":
                    sampling = sampling with { Temperature = ReadNumber(field, 0, 10) };
                    break;
                case "top_k":
                    sampling = sampling with { TopK = ReadInteger(field, 0, run.Model.VocabularySize) };
                    break;
                case "seed":
                    sampling = sampling with { Seed = ReadInteger(field, 0, int.MaxValue) };
                    break;
                default:
                    throw RefusedFieldException.Unknown(field.Name, ["prompt", "max_new_tokens", "temperature", "top_k", "seed"]);
            }
        }
        return prompt.Length > 0
            ? new ControlProtocol.Sample(by, prompt, tokens, sampling)
            : throw new RefusedFieldException(422, "prompt", $"prompt must be text of 1 to {LongestPrompt} characters, as {Keys.SamplePrompt.Path} is empty");
    }

    private static int ReadInteger(JsonProperty field, int minimum, int maximum) =>
        field.Value.ValueKind == JsonValueKind.Number && field.Value.TryGetInt32(out var value) && value >= minimum && value <= maximum
            ? value
            : throw OutOfRange(field.Name, $"an integer from {minimum} to {maximum}", field.Value);

    private static double ReadNumber(JsonProperty field, double minimum, double maximum) =>
        field.Value.ValueKind == JsonValueKind.Number && field.Value.TryGetDouble(out var value) && value >= minimum && value <= maximum
            ? value
            : throw OutOfRange(field.Name, $"a number from {minimum} to {maximum}", field.Value);

    private static bool TryRead(Key key, JsonElement value, out object? result)
    {
        result = null;
        var text = value.ValueKind switch
        {
            JsonValueKind.String when key == Keys.LogLevel => value.GetString()!,
            JsonValueKind.Number when key != Keys.LogLevel => value.GetRawText(),
            _ => null,
        };
        return text is not null && key.TryRead(new ConfigurationScalar(text, false, new Origin("request", "")), out result);
    }

    private static RefusedFieldException OutOfRange(string field, string allowed, JsonElement value, string more = "")
    {
        var shown = value.GetRawText();
        return new(422, field, $"{field} must be {allowed}, was {(shown.Length > 80 ? shown[..80] + "…" : shown)}{more}");
    }
}
