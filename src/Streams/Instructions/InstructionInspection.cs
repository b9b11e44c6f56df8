using System.Text;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Instructions;

/// <summary>Shows what training makes of the records of a source, one by one: the run's own reader, template and tokenizer.</summary>
public sealed class InstructionInspection
{
    private readonly PipelineOptions _options;
    private readonly TextTokenizer _tokenizer;
    private readonly HashSet<int> _special;

    /// <param name="options">The run's, with <see cref="PipelineOptions.Instructions"/>.</param>
    /// <param name="source">What to look at.</param>
    /// <exception cref="SourceException">The source holds no such records, or the tokenizer has no end.</exception>
    /// <exception cref="InvalidDataException">The tokenizer is none.</exception>
    /// <exception cref="IOException">The tokenizer cannot be read.</exception>
    public InstructionInspection(PipelineOptions options, SourceOptions source)
    {
        _options = options with { Sources = [source with { Epochs = 1 }], Shuffle = null };
        OptionChecks.Require(_options, Split.Train);
        _tokenizer = TextTokenizer.Load(options.Tokenizer);
        if (_tokenizer.EosId is null)
            throw new SourceException($"the tokenizer {options.Tokenizer} has no end-of-sentence piece; use one that has, as an answer needs an end.");
        _special = [.. new[] { _tokenizer.BosId, _tokenizer.EosId, _tokenizer.PadId }.OfType<int>()];
        Source = new SourceStatistics(source.Name);
    }

    /// <summary>What could not be read of the records so far. Where a hash parts the sides, both pass over the same records: those of one side are counted.</summary>
    public SourceStatistics Source { get; }

    /// <summary>The records of one side of the held-out split, in the order of the text.</summary>
    /// <exception cref="SourceException">A file is missing or malformed, or holds no such records.</exception>
    public IEnumerable<InspectedInstruction> Records(Split split, CancellationToken stop = default)
    {
        var files = SourceFiles.Of(_options.Sources[0], _options, split);
        var counts = split == Split.Train || _options.ValidationRule == ValidationRule.Tail ? Source : new SourceStatistics(Source.Name);
        var (encoder, tokens) = (new PromptEncoder(_tokenizer, _options.Instructions!.Template), new TokenBuffer());
        var records = new RecordTokenizer(_tokenizer, _options.Instructions, _options.BlockSize, files, counts);
        foreach (var (position, lines, first) in InstructionRecord.Places(files, _options, split, counts, stop))
        {
            tokens.Clear();
            var record = records.Append(lines, first, encoder, tokens);
            var prompt = Math.Min(record.PromptTokens, tokens.Count);
            yield return new InspectedInstruction(
                files[position.File].Name, position.Record, tokens.Span[..prompt].ToArray(), tokens.Span[prompt..].ToArray(), record.PromptTokens, record.Tokens, record.Fate);
        }
    }

    /// <summary>Tokens as text; begin, end and padding by their names.</summary>
    public string TextOf(IReadOnlyList<int> ids)
    {
        var text = new StringBuilder();
        var decoder = _tokenizer.CreateDecoder();
        foreach (var id in ids)
        {
            if (!_special.Contains(id))
            {
                text.Append(decoder.Append(id));
                continue;
            }
            text.Append(decoder.Finish()).Append(_tokenizer.IdToPiece(id));
            decoder = _tokenizer.CreateDecoder();
        }
        return text.Append(decoder.Finish()).ToString();
    }
}

/// <summary>One record and what becomes of it.</summary>
/// <param name="File">The file that it stands in.</param>
/// <param name="Record">Its number in the file, from 0.</param>
/// <param name="Prompt">Tokens in front of the answer; none where it is left out.</param>
/// <param name="Answer">Those of the answer with its end, as far as a block reaches.</param>
/// <param name="PromptTokens">Before the answer, of the whole record.</param>
/// <param name="Tokens">Of the whole record.</param>
/// <param name="Fate">Whether it is cut or left out.</param>
public sealed record InspectedInstruction(string File, long Record, IReadOnlyList<int> Prompt, IReadOnlyList<int> Answer, int PromptTokens, int Tokens, RecordFate Fate);
