using System.Collections.Concurrent;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization;

/// <summary>Encodes the documents of a batch, those not dropped, into one list of tokens. Thread-safe for distinct batches.</summary>
/// <param name="tokenizer">What encodes.</param>
/// <param name="endOfSentence">Appended after each line that has tokens; null appends nothing.</param>
internal sealed class LineTokenizer(TextTokenizer tokenizer, int? endOfSentence)
{
    private readonly ConcurrentBag<TextEncoder> _encoders = [];

    public void Encode(LineBatch batch)
    {
        var encoder = _encoders.TryTake(out var idle) ? idle : tokenizer.CreateEncoder();
        var (lines, tokens) = (batch.Lines, batch.Tokens);
        var line = 0;
        foreach (ref var document in batch.Documents)
        {
            for (; line < document.LineEnd && !document.IsDropped; line++)
            {
                var before = tokens.Count;
                encoder.Encode(lines[line], tokens);
                if (endOfSentence is { } id && tokens.Count > before)
                    tokens.Add(id);
            }
            line = document.LineEnd;
            document.TokenEnd = tokens.Count;
        }
        _encoders.Add(encoder);
    }
}
