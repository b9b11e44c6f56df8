using System.Text;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Records;

/// <summary>Reads files through a format, record by record.</summary>
internal static class RecordReading
{
    /// <summary>All documents from a place on, each as its lines joined by line feeds, with the place at which it begins.</summary>
    public static (List<(SourcePosition Place, string Text)> Documents, IRecordReader Reader) Read(IRecordFormat format, string path, SourcePosition start = default)
    {
        var file = new SourceFile(path, new FileInfo(path).Length);
        using var reader = format.Open(file, start, TestContext.Current.CancellationToken);
        var documents = new List<(SourcePosition, string)>();
        var batch = new LineBatch();
        while (reader.Read(batch))
        {
            format.Extract(batch);
            foreach (var document in batch.Documents)
            {
                var text = new StringBuilder();
                for (var line = 0; line < document.LineEnd; line++)
                    text.Append(line > 0 ? "\n" : "").Append(batch.Lines[line]);
                documents.Add((document.Position, text.ToString()));
            }
            batch.Clear();
        }
        return (documents, reader);
    }

    public static List<string> Texts(IRecordFormat format, string path) => [.. Read(format, path).Documents.Select(document => document.Text)];
}
