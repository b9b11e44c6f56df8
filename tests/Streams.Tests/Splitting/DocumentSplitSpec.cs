using CsCheck;
using Streaming.Streams.Sources;
using Streaming.Streams.Splitting;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Splitting;

public sealed class DocumentSplitSpec
{
    [Fact]
    public void Every_line_falls_on_one_side_and_documents_stay_whole()
    {
        var documents = Enumerable.Range(0, 400).Select(i => Enumerable.Range(0, 1 + i % 7).Select(j => $"{i}:{j}").ToArray()).ToArray();
        var lines = documents.SelectMany(document => document.Append("")).ToArray();
        var train = Keep(lines, Split.Train, 0.25, batch: 10);
        var validation = Keep(lines, Split.Validation, 0.25, batch: 10);

        Assert.Equal(documents.SelectMany(document => document).Order(), train.Concat(validation).Order());
        Assert.Empty(train.Select(Document).Intersect(validation.Select(Document)));
        // 400 draws of 0.25 give 100 with a deviation of 8.7; the hash is fixed, so the bounds never fail by chance.
        Assert.InRange(validation.Select(Document).Distinct().Count(), 70, 130);

        static string Document(string line) => line[..line.IndexOf(':')];
    }

    [Fact]
    public void Where_batches_are_cut_changes_nothing()
    {
        var text = Gen.OneOf("", "", "一", "二", "三", "四").Array[1, 60];
        Gen.Select(text, Gen.Int[1, 9], Gen.Enum<Split>()).Sample((lines, batch, split) =>
        {
            var whole = Keep(lines, split, 0.5, lines.Length);
            Assert.Equal(whole, Keep(lines, split, 0.5, batch));
        });
    }

    [Fact]
    public void Without_a_fraction_nothing_is_held_out()
    {
        string[] lines = ["一", "", "二"];
        Assert.Equal(["一", "二"], Keep(lines, Split.Train, 0, 2));
        Assert.Empty(Keep(lines, Split.Validation, 0, 2));
    }

    [Fact]
    public void Text_without_empty_lines_has_both_sides_too()
    {
        var lines = Enumerable.Range(0, 20 * DocumentSplit.LongestDocument).Select(i => $"{i}").ToArray();
        var held = Keep(lines, Split.Validation, 0.3, 1000);
        Assert.InRange(held.Count, DocumentSplit.LongestDocument, 15 * DocumentSplit.LongestDocument);
        Assert.Equal(0, held.Count % DocumentSplit.LongestDocument);
    }

    [Fact]
    public void A_file_starts_a_new_document()
    {
        var split = new DocumentSplit(Split.Train, 0.5, default);
        var first = Batch(["一"], offset: 0);
        split.Keep(first);
        var second = Batch(["二"], offset: 4);
        split.Keep(second);
        Assert.Equal(new DocumentState(DocumentSplit.Hash("一"), 1), second.Document);
        var other = Batch(["三"], offset: 0);
        split.Keep(other);
        Assert.Equal(default, other.Document);
    }

    private static List<string> Keep(string[] lines, Split side, double fraction, int batch)
    {
        var split = new DocumentSplit(side, fraction, default);
        var kept = new List<string>();
        for (var start = 0; start < lines.Length; start += batch)
        {
            var cut = Batch(lines.Skip(start).Take(batch), offset: start);
            split.Keep(cut);
            for (var index = 0; index < cut.Lines.Count; index++)
                kept.Add(cut.Lines[index].ToString());
        }
        return kept;
    }

    private static LineBatch Batch(IEnumerable<string> lines, long offset)
    {
        var batch = new LineBatch { Position = new SourcePosition(0, 0, offset, 0) };
        foreach (var line in lines)
            batch.Lines.AppendLine(line);
        return batch;
    }
}
