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

    /// <summary>Appends a record, cut or left out where it is longer than a block.</summary>
    /// <param name="lines">Hold the record's three.</param>
    /// <param name="first">The first of them.</param>
    /// <param name="encoder">Of this thread.</param>
    /// <param name="tokens">Receives what is trained on.</param>
    public EncodedRecord Append(TextBatch lines, int first, PromptEncoder encoder, TokenBuffer tokens)
    {
        var begin = tokens.Count;
        encoder.Encode(lines[first + InstructionFormat.Instruction], lines[first + InstructionFormat.Input], tokens);
        var prompt = tokens.Count - begin;
        encoder.EncodeAnswer(lines[first + InstructionFormat.Answer], tokens);
        tokens.Add(_end);
        var count = tokens.Count - begin;
        // A block must have room for a token of the answer, which is what is learned.
        var fate = count <= blockSize ? RecordFate.Whole
            : options.LongRecords == LongRecords.Cut && prompt < blockSize ? RecordFate.Cut
            : RecordFate.LeftOut;
        if (fate != RecordFate.Whole)
            tokens.Truncate(begin + (fate == RecordFate.Cut ? blockSize : 0));
        return new EncodedRecord(prompt, count, fate);
    }

    private void Encode(LineBatch batch, int line, ref DocumentMark document, PromptEncoder encoder)
    {
        var begin = batch.Tokens.Count;
        var record = Append(batch.Lines, line, encoder, batch.Tokens);
        if (record.Fate != RecordFate.Whole && document.Position.Epoch == 0)
            counts.AddLongRecord($"{files[document.Position.File].Name}, record {document.Position.Record + 1}: it has {record.Tokens} tokens, {record.PromptTokens} of them before its answer, and a block {blockSize}", record.Fate == RecordFate.Cut);
        document.PromptTokens = options.LossOnAnswerOnly ? Math.Min(record.PromptTokens, batch.Tokens.Count - begin) : 0;
    }
}

/// <param name="PromptTokens">Before the answer.</param>
/// <param name="Tokens">Of the whole record with its end, before it is cut.</param>
/// <param name="Fate">What became of it.</param>
internal readonly record struct EncodedRecord(int PromptTokens, int Tokens, RecordFate Fate);

/// <summary>What becomes of a record in training.</summary>
public enum RecordFate
{
    Whole,

    /// <summary>Longer than a block, it loses the end of its answer.</summary>
    Cut,

    /// <summary>Longer than a block, it is not trained on.</summary>
    LeftOut,
}
