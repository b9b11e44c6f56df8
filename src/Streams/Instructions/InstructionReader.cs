using System.Text;
using Streaming.Streams.Compression;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Instructions;

/// <summary>
/// Reads records of instructions. One that lacks a field, whose field is no text, or whose instruction or answer is empty, is
/// counted, named and passed over; a file that begins with a thousand of them is a mistake in the configuration.
/// </summary>
internal sealed class InstructionReader : IRecordReader
{
    private const int LongestSample = 60;

    private readonly SourceFile _file;
    private readonly Stream _source;
    private readonly IJsonCutter _records;
    private readonly JsonField _instruction, _input, _answer;
    private readonly TextBatch _text = new();
    private readonly List<string> _rejections = [];
    private bool _mayBeMisunderstood;

    /// <param name="file">What is read, for messages.</param>
    /// <param name="text">Uncompressed bytes from the start on; disposed with the reader.</param>
    /// <param name="records">Cuts them.</param>
    /// <param name="options">The fields' names.</param>
    /// <param name="start">Where a record begins.</param>
    public InstructionReader(SourceFile file, Stream text, IJsonCutter records, InstructionOptions options, SourcePosition start)
    {
        (_file, _source, _records, Position) = (file, text, records, start);
        (_instruction, _input, _answer) = (new JsonField(options.InstructionField), new JsonField(options.InputField), new JsonField(options.OutputField));
        _mayBeMisunderstood = start.Offset == 0;
    }

    public SourcePosition Position { get; private set; }
    public long InvalidBytes => _instruction.InvalidBytes + _input.InvalidBytes + _answer.InvalidBytes;
    public long CutLines => 0;
    public long RejectedRecords { get; private set; }
    public string? FirstRejection { get; private set; }
    public ISeekPoints? SeekPoints => _source as ISeekPoints;

    public IReadOnlyList<string> TakeRejections()
    {
        string[] named = [.. _rejections];
        _rejections.Clear();
        return named;
    }

    public bool Read(LineBatch batch)
    {
        var begin = Position;
        if (!_records.Next(out var record, out var isTooLong))
            return false;
        var isBlank = !isTooLong && record.TrimStart(" \t\r"u8).IsEmpty;
        Position = begin with { Offset = _records.Offset, Line = begin.Line + (_records.CutsLines ? 1 : 0), Record = begin.Record + (isBlank ? 0 : 1) };
        if (isBlank)
            return true;
        if ((isTooLong ? $"it is longer than {JsonLineCutter.LongestLine >> 20} MiB" : Append(record, batch.Lines)) is { } problem)
        {
            Reject(begin, record, problem);
            return true;
        }
        _mayBeMisunderstood = false;
        batch.EndDocument(begin);
        return true;
    }

    /// <summary>Appends the three lines; otherwise says what is wrong with the record, and appends none.</summary>
    private string? Append(ReadOnlySpan<byte> record, TextBatch lines)
    {
        var problem = _instruction.Read(record, _text);
        if (problem is null && ((ReadOnlySpan<char>)_text.Pending).IsWhiteSpace())
            problem = $"its field {_instruction.Path} is empty";
        _text.EndLine();
        if (problem is null && _input.Read(record, _text) is { } wrong && !_input.IsMissing)
            problem = wrong;
        _text.EndLine();
        problem ??= _answer.Read(record, _text);
        if (problem is null && ((ReadOnlySpan<char>)_text.Pending).IsWhiteSpace())
            problem = $"its field {_answer.Path} is empty";
        _text.EndLine();
        for (var line = 0; line < _text.Count && problem is null; line++)
            lines.AppendLine(_text[line]);
        _text.Clear();
        return problem;
    }

    private void Reject(SourcePosition begin, ReadOnlySpan<byte> record, string problem)
    {
        RejectedRecords++;
        var sample = Encoding.UTF8.GetString(record[..Math.Min(record.Length, LongestSample)]).ReplaceLineEndings(" ").Trim();
        var place = _records.CutsLines ? $"line {begin.Line + 1}" : $"record {begin.Record + 1}";
        var sentence = $"{_file.Name}, {place}: {problem}: {sample}{(record.Length > LongestSample ? "…" : "")}";
        FirstRejection ??= sentence;
        if (begin.Epoch == 0 && _rejections.Count < Measurement.SourceStatistics.MostNamed)
            _rejections.Add(sentence);
        if (_mayBeMisunderstood && RejectedRecords == JsonRecordReader.MostRejectionsAtStart)
            throw new SourceException($"none of the first {RejectedRecords} records of {_file.Name} is an instruction with its answer (the first one: {problem}); name the fields in instructions.instruction-field, input-field and output-field.");
    }

    public void Dispose() => _source.Dispose();
}
