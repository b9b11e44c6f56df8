using Akka.Actor;
using Akka.Streams;
using Akka.Streams.Dsl;
using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Metrics;
using Streaming.Streams;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Measurement;

namespace Streaming.Hosting.Tests.Metrics;

public sealed class TextMetricsSpec : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();
    private readonly ActorSystem _system = ActorSystem.Create("text-metrics", "akka.loglevel = WARNING");

    public void Dispose()
    {
        _system.Terminate().Wait();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task What_is_dropped_is_counted_by_source_and_reason_and_never_goes_back()
    {
        var registry = Prometheus.Metrics.NewCustomRegistry();
        var metrics = new TextMetrics(registry);
        Assert.DoesNotContain("streaming_text_dropped_total{", await Collected(registry));

        metrics.Observe(new PipelineProtocol.TextOpened(await Read()));
        var collected = await Collected(registry);
        Assert.Contains("streaming_text_dropped_total{source=\"web\",reason=\"read-more\"} 3", collected);
        Assert.Contains("streaming_text_dropped_total{source=\"web\",reason=\"unreadable-record\"} 2", collected);
        Assert.Contains("streaming_text_dropped_total{source=\"books\",reason=\"unreadable-record\"} 0", collected);
        Assert.DoesNotContain("reason=\"url\"", collected);

        // A rollback opens the text anew, and its own counters begin at 0.
        metrics.Observe(new PipelineProtocol.TextOpened(await Read()));
        Assert.Contains("streaming_text_dropped_total{source=\"web\",reason=\"read-more\"} 6", await Collected(registry));
    }

    private async Task<PipelineStatistics> Read()
    {
        var web = Path.Combine(_folder.FullName, "web.jsonl");
        File.WriteAllText(web, "{\"text\": \"吾輩は猫である。\\n続きを読む\\n続きを読む\\n続きを読む\"}\nno object\n{\"text\": 1}\n");
        var books = Path.Combine(_folder.FullName, "books.txt");
        File.WriteAllText(books, "名前はまだ無い。\n");
        var options = new PipelineOptions
        {
            Sources =
            [
                new() { Name = "web", Paths = [web], Cleaning = CleaningOptions.Off with { DropBoilerplate = true } },
                new() { Name = "books", Paths = [books] },
            ],
            Tokenizer = Path.Combine(AppContext.BaseDirectory, "samples", "tokenizer.model"),
            BlockSize = 2,
            Rows = 1,
            ValidationFraction = 0,
        };
        var statistics = new PipelineStatistics();
        await TextPipeline.Batches(options, Split.Train, statistics: statistics)
            .RunWith(Sink.Ignore<Streaming.Streams.Batches.TokenBatch>(), _system.Materializer())
            .WaitAsync(TestContext.Current.CancellationToken);
        return statistics;
    }

    private static async Task<string> Collected(CollectorRegistry registry)
    {
        using var text = new MemoryStream();
        await registry.CollectAndExportAsTextAsync(text, TestContext.Current.CancellationToken);
        return System.Text.Encoding.UTF8.GetString(text.ToArray());
    }
}
