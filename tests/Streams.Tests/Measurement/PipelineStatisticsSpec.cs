using System.Collections.Concurrent;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Tests.Measurement;

public sealed class PipelineStatisticsSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Every_line_is_told_from_the_others_as_trained_on_held_out_or_dropped_for_a_reason()
    {
        var documents = Enumerable.Range(0, 200).Select(i => $"{{\"text\": \"{i}匹の猫と犬。\\n続きを読む\\n{i}羽の鳥。\"}}\n");
        var path = _files.Write("a.jsonl", string.Concat(documents) + "{\"text\": null}\n[]\n{\"text\": \"猫\n");
        var options = Options(path) with { ValidationFraction = 0.3 };
        PipelineStatistics training = new(), held = new();
        await streams.Take(options, statistics: training);
        await streams.Take(options, Split.Validation, statistics: held);

        foreach (var statistics in new[] { training, held })
        {
            var source = Assert.Single(statistics.Sources);
            Assert.Equal(3, source.RejectedRecords);
            Assert.Equal([(SourceStatistics.UnreadableRecord, 3), ("read-more", 200)], source.Dropped.Where(dropped => dropped.Lines > 0));
            Assert.Equal(400, source.Cleaning.Lines(CleaningReason.None));
        }
        Assert.Equal(400, training.Sources[0].HeldOutLines + held.Sources[0].HeldOutLines);
        Assert.InRange(training.Sources[0].HeldOutLines, 60, 180);
    }

    [Fact]
    public async Task The_first_record_that_is_passed_over_is_told_once_and_only_for_training()
    {
        var path = _files.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"text\": 12}\n{\"text\": \"猫と犬。\"}\n", 20)));
        var notices = new ConcurrentQueue<string>();
        var options = Options(path) with { OnNotice = notices.Enqueue };
        await streams.Take(options, Split.Validation);
        Assert.Empty(notices);
        await streams.Take(options);
        var notice = Assert.Single(notices);
        Assert.StartsWith($"a record of source web is passed over, as all like it: {path}, line 1: ", notice);
    }

    private static PipelineOptions Options(string path) => new()
    {
        Sources = [new SourceOptions { Name = "web", Paths = [path], Cleaning = CleaningOptions.Off with { DropBoilerplate = true } }],
        Tokenizer = "",
        BlockSize = 4,
        Rows = 1,
        ValidationFraction = 0,
    };
}
