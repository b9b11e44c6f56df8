namespace Streaming.Streams.TokenizerTraining;

/// <summary>How far the training of a tokenizer is.</summary>
/// <param name="Stage"><c>read</c>, <c>seeds</c>, <c>EM</c>.</param>
/// <param name="Round">Rounds of EM begun, the pruning between them included.</param>
/// <param name="Count">Reading: sentences so far; EM: pieces left.</param>
/// <param name="LogLikelihood">Natural log probability a character of the text, before the last step.</param>
public sealed record TrainingProgress(string Stage, int Round, long Count, double LogLikelihood);
