using System.Collections.Concurrent;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>Encodes batches of lines into one list of tokens each. Thread-safe for distinct batches.</summary>
/// <param name="tokenizer">What encodes.</param>
/// <param name="endOfSentence">Appended after each line that has tokens; null appends nothing.</param>
internal sealed class LineTokenizer(UnigramTokenizer tokenizer, int? endOfSentence)
{
    private readonly ConcurrentBag<UnigramTokenizer.Encoder> _encoders = [];

    public void Encode(LineBatch batch)
    {
        var encoder = _encoders.TryTake(out var idle) ? idle : tokenizer.CreateEncoder();
        var (lines, tokens) = (batch.Lines, batch.Tokens);
        for (var index = 0; index < lines.Count; index++)
        {
            var before = tokens.Count;
            encoder.Encode(lines[index], tokens);
            if (endOfSentence is { } id && tokens.Count > before)
                tokens.Add(id);
        }
        _encoders.Add(encoder);
    }
}
