namespace Streaming.Actors;

/// <summary>What was asked for cannot be done: the message is one sentence naming the thing, the value and the remedy.</summary>
public sealed class RunRefusedException(string sentence, Exception? inner = null) : Exception(sentence, inner);

/// <summary>The loss, the gradient or a weight is not a number any more.</summary>
/// <param name="step">The step that was being taken.</param>
/// <param name="what">What is not finite, with its value.</param>
public sealed class NonFiniteLossException(long step, string what) : Exception($"{what} at step {step}")
{
    public long Step => step;
}

/// <summary>The loss or the gradient is far above that of the steps before.</summary>
/// <param name="step">The step that was being taken.</param>
/// <param name="what">What is above what, with values.</param>
public sealed class LossSpikeException(long step, string what) : Exception($"{what} at step {step}");

/// <summary>Carries where the trainer was when it failed; the reason is the inner exception.</summary>
/// <param name="step">The step that was being taken.</param>
/// <param name="begun">Whether this trainer had taken a step.</param>
/// <param name="reason">What it failed with.</param>
internal sealed class TrainingFailedException(long step, bool begun, Exception reason)
    : Exception($"training failed at step {step}: {reason.FirstLine()}", reason)
{
    public long Step => step;

    public bool Begun => begun;
}

/// <summary>The text path failed; every step before is in a checkpoint by now.</summary>
/// <param name="reason">What it failed with.</param>
/// <param name="kept">Where the steps are, for people.</param>
internal sealed class TextFailedException(Exception reason, string kept) : Exception(reason.Message, reason)
{
    public string Kept => kept;
}

internal static class ExceptionText
{
    /// <summary>The message without the native stack that libtorch appends.</summary>
    public static string FirstLine(this Exception failure) => failure.Message.Trim().Split('\n')[0].TrimEnd();
}
