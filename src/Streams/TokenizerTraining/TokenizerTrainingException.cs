namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// No model can be trained as it is asked for: the text is empty or too small, or an option does not fit. The message is one
/// sentence for the user, which names the thing, the value and the remedy.
/// </summary>
public sealed class TokenizerTrainingException(string message) : Exception(message);
