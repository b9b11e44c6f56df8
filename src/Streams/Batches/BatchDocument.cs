using System.Text.Json;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Batches;

/// <summary>A piece of a document in a batch.</summary>
/// <param name="Source">The source's name.</param>
/// <param name="File">The file's name, without its folder.</param>
/// <param name="Position">Where the document, or the part of it, begins in the file.</param>
/// <param name="Row">The sequence of the batch.</param>
/// <param name="Start">The piece's first token in that sequence.</param>
/// <param name="Tokens">Tokens of the piece.</param>
public sealed record BatchDocument(string Source, string File, SourcePosition Position, int Row, int Start, int Tokens)
{
    /// <summary>As a JSON object.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("source", Source);
        json.WriteString("file", File);
        json.WriteNumber("epoch", Position.Epoch);
        json.WriteNumber("byte", Position.Offset);
        json.WriteNumber("record", Position.Record);
        if (Position.Line > 0 || Position.Record == 0)
            json.WriteNumber("line", Position.Line);
        if (Position.Part > 0)
            json.WriteNumber("part", Position.Part);
        json.WriteNumber("row", Row);
        json.WriteNumber("start", Start);
        json.WriteNumber("tokens", Tokens);
        json.WriteEndObject();
    }
}
