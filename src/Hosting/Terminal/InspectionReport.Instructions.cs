using Streaming.Streams.Instructions;
using Streaming.Streams.Measurement;

namespace Streaming.Hosting.Terminal;

/// <summary>Records of instructions: prompt and answer as they are trained on, and how long they are.</summary>
internal sealed partial class InspectionReport
{
    private const int PartColumns = 8;

    public void Write(InspectedInstruction record, InstructionInspection inspection, int blockSize)
    {
        var fate = record.Fate switch
        {
            RecordFate.Cut => $"; cut to a block of {blockSize}",
            RecordFate.LeftOut => $"; left out: a block has {blockSize}",
            _ => "",
        };
        output.WriteLine(Paint("1", $"── {record.File}, record {record.Record + 1}: {record.Tokens} tokens, {record.PromptTokens} before its answer{fate}"));
        WritePart("prompt", "2", record.Prompt, inspection);
        WritePart("answer", "32", record.Answer, inspection);
        output.WriteLine();
    }

    private void WritePart(string name, string code, IReadOnlyList<int> ids, InstructionInspection inspection)
    {
        if (ids.Count == 0)
            return;
        foreach (var (number, line) in inspection.TextOf(ids).Split('\n').Index())
            output.WriteLine($"{Paint(code, (number == 0 ? name : "").PadRight(PartColumns))} {Fit(line, PartColumns)}");
    }

    /// <param name="lengths">Of both sides of the held-out split.</param>
    /// <param name="source">What could not be read.</param>
    /// <param name="blockSize">Tokens.</param>
    public void WriteSummary(IReadOnlyList<(string Side, RecordLengths Lengths)> lengths, SourceStatistics source, int blockSize)
    {
        output.WriteLine(Paint("1", $"{"",-VerdictColumns}{"records",10}{"tokens",12}{"in answers",12}{"shortest",10}{"median",8}{"90 %",8}{"longest",9}"));
        foreach (var (side, length) in lengths)
        {
            output.WriteLine($"{side,-VerdictColumns}{Quantity.Count(length.Records),10}{Quantity.Count(length.Tokens),12}{Quantity.Count(length.AnswerTokens),12}"
                + $"{length.At(0),10}{length.At(0.5),8}{length.At(0.9),8}{length.At(1),9}");
        }
        WriteCount($"cut to a block of {blockSize}", lengths.Sum(side => side.Lengths.CutRecords));
        WriteCount($"dropped {SourceStatistics.LongRecord}", lengths.Sum(side => side.Lengths.LeftOutRecords));
        WriteCount($"dropped {SourceStatistics.UnreadableRecord}", source.RejectedRecords);
        if (source.FirstRejection is { } first)
            Note($"the first record that cannot be read is {first}");
    }

    private void WriteCount(string what, long records)
    {
        if (records > 0)
            output.WriteLine($"{what,-VerdictColumns}{Quantity.Count(records),10}");
    }
}

/// <summary>Counts records that are trained or evaluated on, and those that are not.</summary>
internal sealed class RecordLengths
{
    private readonly List<int> _lengths = [];
    private bool _isSorted;

    public int Records => _lengths.Count;
    public long Tokens { get; private set; }
    public long AnswerTokens { get; private set; }
    public long CutRecords { get; private set; }
    public long LeftOutRecords { get; private set; }

    public void Add(InspectedInstruction record)
    {
        if (record.Fate == RecordFate.LeftOut)
        {
            LeftOutRecords++;
            return;
        }
        CutRecords += record.Fate == RecordFate.Cut ? 1 : 0;
        (Tokens, AnswerTokens, _isSorted) = (Tokens + record.Prompt.Count + record.Answer.Count, AnswerTokens + record.Answer.Count, false);
        _lengths.Add(record.Tokens);
    }

    /// <summary>The length, before cutting, that a share of the records does not exceed; empty without records.</summary>
    public string At(double share)
    {
        if (_lengths.Count == 0)
            return "";
        if (!_isSorted)
            _lengths.Sort();
        _isSorted = true;
        return Quantity.Count(_lengths[(int)Math.Ceiling(share * (_lengths.Count - 1))]);
    }
}
