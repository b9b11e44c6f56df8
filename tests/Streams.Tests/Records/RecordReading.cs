using System.Text;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Records;

/// <summary>Reads files through a format, record by record.</summary>
internal static class RecordReading
{
    /// <summary>All documents from a place on, each as its lines joined by line feeds, with the place at which it begins.</summary>
    public static (List<(SourcePosition Place, string Text)> Documents, IRecordReader Reader) Read(IRecordFormat format, string path, SourcePosition start = default, bool past = false)
    {
        var file = new SourceFile(path, new FileInfo(path).Length);
        using var reader = past ? format.OpenPast(file, start, TestContext.Current.CancellationToken) : format.Open(file, start, TestContext.Current.CancellationToken);
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

    /// <summary>From any place on, a format yields the documents that begin there or later.</summary>
    public static void AssertTails(IRecordFormat format, string path, IEnumerable<long> places)
    {
        var all = Read(format, path).Documents;
        foreach (var place in places)
        {
            var start = SourcePosition.StartOf(0, 0) with { Offset = place };
            var tail = Read(format, path, start, past: true).Documents;
            Assert.Equal(all.Where(document => document.Place.Offset >= place).Select(document => (document.Place.Offset, document.Text)),
                tail.Select(document => (document.Place.Offset, document.Text)));
        }
    }

    public static List<string> Texts(IRecordFormat format, string path) => [.. Read(format, path).Documents.Select(document => document.Text)];
}
