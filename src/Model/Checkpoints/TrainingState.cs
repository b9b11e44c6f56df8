using System.Text.Json;
using System.Text.Json.Serialization;

namespace Streaming.Model.Checkpoints;

/// <summary>Where a run stands: what <c>state.json</c> holds.</summary>
public sealed record TrainingState
{
    /// <summary>Steps of the run, those whose update was skipped included: what the schedule counts.</summary>
    public required long Step { get; init; }

    /// <summary>Tokens trained on.</summary>
    public required long TokensSeen { get; init; }

    /// <summary>Where the text stands after the last batch that the optimiser consumed; written and read by the text path.</summary>
    public required JsonElement Cursor { get; init; }

    /// <summary>The last steps' losses, oldest first.</summary>
    public IReadOnlyList<float> Losses { get; init; } = [];

    /// <summary>The last steps' gradient norms, oldest first.</summary>
    public IReadOnlyList<float> GradientNorms { get; init; } = [];

    /// <summary>Mean cross-entropy on the held-out text at this very step; null where it was not evaluated.</summary>
    public double? EvaluationLoss { get; init; }

    /// <summary>Batches that were taken from the text and not trained on, in order of their steps.</summary>
    public IReadOnlyList<SkippedBatches> Skipped { get; init; } = [];

    /// <summary>Whether what is left out before a step of the run was left out here: a state before that step has not come to it.</summary>
    public bool HasLeftOut(long step, long batches) => step > Step || Skipped.Any(left => left.Step == step && left.Batches >= batches);

    /// <summary>The run's seed.</summary>
    public int Seed { get; init; }

    /// <summary>When the checkpoint was written: among several the latest is the one to go on from. Set by <see cref="CheckpointStore"/>.</summary>
    public DateTimeOffset WrittenAt { get; init; }

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals, // a loss may be NaN
        WriteIndented = true,
    };

    internal byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Format);

    /// <exception cref="CheckpointException">Missing or not what this program writes.</exception>
    internal static TrainingState Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<TrainingState>(File.ReadAllBytes(path), Format)
                ?? throw new CheckpointException($"{path} is empty");
        }
        catch (JsonException exception)
        {
            throw new CheckpointException($"{path} is not a training state: {JsonObjectText.OneLine(exception)}", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"{path} cannot be read: {exception.Message}", exception);
        }
    }
}

/// <summary>Batches that were taken from the text and not trained on.</summary>
/// <param name="Step">The step before which they were taken.</param>
/// <param name="Batches">How many.</param>
/// <param name="Reason">What they had led to.</param>
public sealed record SkippedBatches(long Step, long Batches, string Reason);
