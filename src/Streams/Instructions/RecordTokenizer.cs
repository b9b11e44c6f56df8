using System.Collections.Concurrent;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Instructions;

/// <summary>
/// Encodes records of instructions: the prompt by the template, the answer, the end. A record is never longer than a block
/// afterwards. Thread-safe for distinct batches.
/// </summary>
/// <param name="tokenizer">What encodes; has an end of sentence.</param>
/// <param name="options">Template, loss, long records.</param>
/// <param name="blockSize">Tokens a block.</param>
/// <param name="files">The source's, for messages.</param>
/// <param name="counts">Counts records that are cut or left out.</param>
internal sealed class RecordTokenizer(TextTokenizer tokenizer, InstructionOptions options, int blockSize, SourceFiles files, SourceStatistics counts)
{
    private readonly ConcurrentBag<PromptEncoder> _encoders = [];
    private readonly int _end = tokenizer.EosId!.Value;

    public void Encode(LineBatch batch)
    {
        var encoder = _encoders.TryTake(out var idle) ? idle : new PromptEncoder(tokenizer, options.Template);
        var line = 0;
        foreach (ref var document in batch.Documents)
        {
            if (!document.IsDropped)
                Encode(batch, line, ref document, encoder);
            line = document.LineEnd;
            document.TokenEnd = batch.Tokens.Count;
        }
        _encoders.Add(encoder);
    }

    private void Encode(LineBatch batch, int line, ref DocumentMark document, PromptEncoder encoder)
    {
        var (lines, tokens, begin) = (batch.Lines, batch.Tokens, batch.Tokens.Count);
        encoder.Encode(lines[line + InstructionFormat.Instruction], lines[line + InstructionFormat.Input], tokens);
        var prompt = tokens.Count - begin;
        encoder.EncodeAnswer(lines[line + InstructionFormat.Answer], tokens);
        tokens.Add(_end);
        var count = tokens.Count - begin;
        if (count > blockSize)
        {
            // A block must have room for a token of the answer, which is what is learned.
            var isCut = options.LongRecords == LongRecords.Cut && prompt < blockSize;
            tokens.Truncate(begin + (isCut ? blockSize : 0));
            if (document.Position.Epoch == 0)
                counts.AddLongRecord($"{files[document.Position.File].Name}, record {document.Position.Record + 1}: it has {count} tokens, {prompt} of them before its answer, and a block {blockSize}", isCut);
        }
        document.PromptTokens = options.LossOnAnswerOnly ? Math.Min(prompt, tokens.Count - begin) : 0;
    }
}
