namespace Streaming.Actors;

/// <summary>What was asked for cannot be done: the message is one sentence naming the thing, the value and the remedy.</summary>
public sealed class RunRefusedException(string sentence, Exception? inner = null) : Exception(sentence, inner);

/// <summary>The loss, the gradient or a weight is not a number any more.</summary>
/// <param name="step">The step that was being taken.</param>
/// <param name="what">What is not finite, with its value.</param>
public sealed class NonFiniteLossException(long step, string what) : Exception($"{what} at step {step}");

/// <summary>Carries where the trainer was when it failed; the reason is the inner exception.</summary>
internal sealed class TrainingFailedException(long step, Exception reason)
    : Exception($"training failed at step {step}: {reason.Message}", reason)
{
    public long Step { get; } = step;
}
