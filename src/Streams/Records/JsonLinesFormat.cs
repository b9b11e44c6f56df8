using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>JSON Lines: an object a line, the text in one of its fields.</summary>
/// <param name="field">The field's name, or a path of names with dots between them.</param>
internal sealed class JsonLinesFormat(string field) : IRecordFormat
{
    public IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop) =>
        new JsonRecordReader(file, SourceText.Open(file, start, stop), new JsonField(field), start);

    /// <summary>The first line that begins at or past the place; lines are counted from there on.</summary>
    public IRecordReader OpenPast(SourceFile file, SourcePosition place, CancellationToken stop)
    {
        if (place.Offset == 0)
            return Open(file, place, stop);
        // From the byte before, lest a line that begins at the place is passed over.
        var before = place with { Offset = place.Offset - 1 };
        return new JsonRecordReader(file, SourceText.Open(file, before, stop), new JsonField(field), before, isWithinLine: true);
    }

    /// <summary>The reader takes the text out of the record already.</summary>
    public void Extract(LineBatch batch) { }
}
