using System.Text.Json;
using CsCheck;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Documents;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests.Cleaning;

public sealed class CleaningFilterSpec
{
    private static readonly CleaningOptions _duplicates = CleaningOptions.Off with { Duplicates = DuplicateOptions.Web with { MemoryBytes = DuplicateOptions.LeastMemoryBytes } };

    private const string Long = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた事だけは記憶している。";

    private const string Other = "親譲りの無鉄砲で小供の時から損ばかりしている。小学校に居る時分学校の二階から飛び降りて一週間ほど腰を抜かした事がある。";

    private const string Third = "山路を登りながら、こう考えた。智に働けば角が立つ。情に棹させば流される。意地を通せば窮屈だ。とかくに人の世は住みにくい。住みにくさが高じると、安い所へ引き越したくなる。どこへ越しても住みにくいと悟った時、詩が生れて、画が出来る。";

    [Fact]
    public void A_document_that_came_before_goes()
    {
        string[][] documents = [[Long, "二行目"], ["別の文書"], ["吾輩は、猫である！　名前は まだ無い。", Long[16..], "二行目。"]];
        var (kept, statistics) = Filter(_duplicates, [documents]);
        Assert.Equal([[Long, "二行目"], ["別の文書"]], kept);
        Assert.Equal((1L, 2L, 3L), (statistics.Documents(CleaningReason.DuplicateDocument), statistics.Documents(CleaningReason.None), statistics.Lines(CleaningReason.None)));
        Assert.Equal(3, statistics.Lines(CleaningReason.DuplicateDocument));
    }

    [Fact]
    public void A_document_that_is_nearly_an_earlier_one_goes()
    {
        var text = string.Concat(Enumerable.Range(0, 40).Select(i => $"第{i}章では{(char)('ア' + i)}について述べ、{(char)('一' + (i * 37))}の例を{i * i}ほど挙げる。"));
        var options = _duplicates with { Duplicates = _duplicates.Duplicates with { Lines = false } };
        var (kept, statistics) = Filter(options, [[[text], [text.Replace("第3章", "第三章")]], [[text[(text.Length / 2)..] + Long]]]);
        Assert.Equal([[text], [text[(text.Length / 2)..] + Long]], kept);
        Assert.Equal(1, statistics.Documents(CleaningReason.NearDuplicateDocument));
        Assert.Equal(3, Filter(options with { Duplicates = options.Duplicates with { NearDocuments = false } }, [[[text], [text.Replace("第3章", "第三章")]], [["x"]]]).Kept.Length);
    }

    [Fact]
    public void Long_lines_that_came_before_go_and_short_ones_stay()
    {
        string[][] first = [["甲", Long], ["「はい。」", Long, "乙"]];
        string[][] second = [["「はい。」", "丙"], [Long, Long + "。"]];
        var options = _duplicates with { Duplicates = _duplicates.Duplicates with { NearDocuments = false } };
        var (kept, statistics) = Filter(options, [first, second]);
        Assert.Equal([["甲", Long], ["「はい。」", "乙"], ["「はい。」", "丙"]], kept);
        Assert.Equal((1L, 3L), (statistics.Documents(CleaningReason.DuplicateLine), statistics.Lines(CleaningReason.DuplicateLine)));
    }

    [Fact]
    public void The_same_text_in_the_next_epoch_is_no_duplicate()
    {
        var filter = new FilterUnderTest(_duplicates);
        for (var epoch = 0; epoch < 3; epoch++)
        {
            Assert.Equal([[Long]], filter.Run([[Long], [Long]], epoch));
            Assert.Equal([], filter.Run([[Long]], epoch));
        }
    }

    [Fact]
    public void From_any_document_the_same_follows()
    {
        var line = Gen.OneOf([Long, Long[..40], Long[10..50], "「はい。」", "続きを読む", Long.Replace("猫", "犬"), "行"]);
        var options = _duplicates with { DropBoilerplate = true };
        Gen.Select(line.Array[1, 4].Array[1, 30], Gen.Int[0, 1000], Gen.Int[1, 7], Gen.Int[1, 7]).Sample((documents, draw, batch, resumedBatch) =>
        {
            var whole = new FilterUnderTest(options);
            string[][] twice = [.. documents, .. documents]; // two epochs
            var rest = new List<string[]>();
            var entries = new List<long>();
            foreach (var chunk in Chunks(0, twice.Length, batch))
                whole.Run(twice[chunk], documents.Length, chunk.Start.Value, entries, rest);
            var cut = draw % twice.Length;

            using var file = new MemoryStream();
            whole.Filter.Save(entries[cut], file);
            file.Position = 0;
            var resumed = new FilterUnderTest(options);
            resumed.Filter.Restore(entries[cut], file);
            var (again, entriesAgain) = (new List<string[]>(), new List<long>());
            foreach (var chunk in Chunks(cut, twice.Length, resumedBatch))
                resumed.Run(twice[chunk], documents.Length, chunk.Start.Value, entriesAgain, again);
            Assert.Equal(rest.Skip(cut), again);
            Assert.Equal(entries.Skip(cut), entriesAgain);
        }, iter: 60); // each makes two indices

        static IEnumerable<Range> Chunks(int start, int end, int size)
        {
            for (; start < end; start += size)
                yield return start..Math.Min(start + size, end);
        }
    }

    [Fact]
    public void What_goes_is_written_down()
    {
        using var folder = new TextFiles();
        var path = Path.Combine(folder.Folder, "rejected.jsonl");
        var options = CleaningOptions.Web with { Duplicates = DuplicateOptions.Web with { MemoryBytes = DuplicateOptions.LeastMemoryBytes }, RejectedFile = path };
        string[][] documents = [["トップページ | \"ヘルプ\"", Long, Other], ["短い。"], [Long, Third, "ここで話は変わる。"]];
        var filter = new FilterUnderTest(options);
        filter.Run(documents, 0);
        filter.Run(documents, 1); // the second pass tells nothing new

        var rejected = File.ReadAllLines(path).Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal(
            [("navigation", 0, "トップページ | \"ヘルプ\""), ("document-too-short", 1, "短い。"), ("duplicate-line", 2, Long)],
            rejected.Select(line => (line.GetProperty("reason").GetString(), line.GetProperty("record").GetInt32(), line.GetProperty("text").GetString())));
        Assert.All(rejected, line => Assert.Equal("S", line.GetProperty("source").GetString()));
    }

    [Fact]
    public void Filtering_allocates_nothing_in_the_long_run()
    {
        var filter = new FilterUnderTest(CleaningOptions.Web with { Duplicates = _duplicates.Duplicates });
        var batch = new LineBatch();
        Run(50);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Run(500);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000); // 200 bytes a batch of some 64 KB: the bag's own

        void Run(int times)
        {
            for (var time = 0; time < times; time++)
            {
                FilterUnderTest.Fill(batch, [[Long, Long, "続きを読む"], [Long, Long.Length % 2 == 0 ? "甲" : "乙"]], _ => SourcePosition.StartOf(0, 0));
                filter.Filter.Examine(batch);
                filter.Filter.Admit(batch);
            }
        }
    }

    private static (string[][] Kept, CleaningStatistics Statistics) Filter(CleaningOptions options, string[][][] batches)
    {
        var filter = new FilterUnderTest(options);
        return ([.. batches.SelectMany(documents => filter.Run(documents, 0))], filter.Statistics);
    }

    private sealed class FilterUnderTest(CleaningOptions options)
    {
        public CleaningStatistics Statistics { get; } = new();

        public CleaningFilter Filter => field ??= (CleaningFilter)DocumentFilters.Of(new SourceOptions { Name = "S", Paths = [], Cleaning = options }, Statistics, writesRejected: true)!;

        /// <summary>The documents that are left of a batch.</summary>
        public string[][] Run(string[][] documents, long epoch)
        {
            var (left, entries) = (new List<string[]>(), new List<long>());
            Run(documents, index => SourcePosition.StartOf(epoch, 0) with { Record = index }, entries, left);
            return [.. left.Where(document => document.Length > 0)];
        }

        /// <summary>Appends what is left of each document, and the entries before it.</summary>
        public void Run(string[][] documents, int epochLength, int first, List<long> entries, List<string[]> left) =>
            Run(documents, index => SourcePosition.StartOf((first + index) / epochLength, 0), entries, left);

        public static void Fill(LineBatch batch, string[][] documents, Func<int, SourcePosition> positionOf)
        {
            batch.Clear();
            for (var index = 0; index < documents.Length; index++)
            {
                foreach (var line in documents[index])
                    batch.Lines.AppendLine(line);
                batch.EndDocument(positionOf(index));
            }
        }

        private void Run(string[][] documents, Func<int, SourcePosition> positionOf, List<long> entries, List<string[]> left)
        {
            var batch = new LineBatch();
            Fill(batch, documents, positionOf);
            Filter.Examine(batch);
            Filter.Admit(batch);
            var line = 0;
            foreach (ref var document in batch.Documents)
            {
                var lines = new List<string>();
                for (; line < document.LineEnd; line++)
                {
                    if (!document.IsDropped)
                        lines.Add(batch.Lines[line].ToString());
                }
                entries.Add(document.DuplicateEntries);
                left.Add([.. lines]);
            }
        }
    }
}
