using System.Numerics;
using Streaming.Streams.Documents;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Instructions;

/// <summary>Records with an instruction, an input and an answer: a JSON array of objects, or JSON Lines. Each is a document of three lines.</summary>
/// <param name="options">The fields' names.</param>
/// <param name="isArray">One array; otherwise an object a line.</param>
internal sealed class InstructionFormat(InstructionOptions options, bool isArray) : IRecordFormat
{
    /// <summary>What stands in the lines of a document.</summary>
    public const int Instruction = 0, Input = 1, Answer = 2, LinesOfRecord = 3;

    /// <summary>The format of one file of a source.</summary>
    /// <exception cref="SourceException">It holds something else.</exception>
    public static InstructionFormat Of(SourceFile file, SourceOptions source, InstructionOptions options)
    {
        if (source.Kind is not (SourceKind.Auto or SourceKind.JsonLines))
            throw new SourceException($"source {source.Name} is of kind {source.Kind.ToString().ToLowerInvariant()}; instructions are read from a JSON array or from JSON Lines: leave the kind out, or set data.format to text.");
        if (file.Length is null or 0) // a pipe has no bytes yet, and would be waited for
            return new InstructionFormat(options, isArray: false);
        var start = SourceKinds.ReadStart(file, CancellationToken.None, out var isParquet);
        if (isParquet || start is [not ((byte)'[' or (byte)'{'), ..])
            throw new SourceException($"{file.Name} holds {(isParquet ? "Parquet" : "neither a JSON array nor an object a line")}; instructions are read from a JSON array or from JSON Lines: convert it, or set data.format to text.");
        return new InstructionFormat(options, isArray: start is [(byte)'[', ..]);
    }

    public IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop)
    {
        var text = SourceText.Open(file, start, stop);
        return new InstructionReader(file, text, isArray ? new JsonArrayCutter(text, start.Offset) : new JsonLineCutter(text, start.Offset), options, start);
    }

    /// <summary>The reader takes the fields out of the record already.</summary>
    public void Extract(LineBatch batch) { }

    /// <summary>Many records share an instruction, or an input: both together tell one from another.</summary>
    public ulong HashOf(TextBatch lines, int first) =>
        BitOperations.RotateLeft(DocumentHash.Of(lines[first + Instruction]), 32) ^ DocumentHash.Of(lines[first + Input]);
}
