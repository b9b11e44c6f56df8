using System.Text;
using Akka.Actor;
using Akka.Streams;
using Streaming.Streams.Batches;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Batches;

public sealed class BatchStreamSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task All_batches_come_in_order_and_then_the_end()
    {
        var options = Options(WriteText(2000));
        var expected = await streams.Take(options);
        using var stream = Start(options);
        var tokens = new List<int>();
        await foreach (var batch in stream.Reader.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            tokens.AddRange(batch.Tokens);
            stream.Recycle(batch);
        }
        await stream.Completion.WaitAsync(Patience, TestContext.Current.CancellationToken);
        Assert.Equal(expected.SelectMany(batch => batch.Tokens), tokens);
        Assert.Equal(tokens.Count, stream.Statistics.Queue.Tokens);
    }

    [Fact]
    public async Task Stopping_ends_an_endless_stream_at_once_whether_or_not_anyone_reads()
    {
        var options = Options(WriteText(50_000)).WithEpochs(0);
        using var stream = Start(options);
        while (stream.Statistics.QueueDepth < options.QueueCapacity)
            await Task.Delay(10, TestContext.Current.CancellationToken);
        stream.Stop();
        await stream.Completion.WaitAsync(Patience, TestContext.Current.CancellationToken);
        var left = 0;
        await foreach (var _ in stream.Reader.ReadAllAsync(TestContext.Current.CancellationToken))
            left++;
        Assert.InRange(left, 0, options.QueueCapacity);
        var read = stream.Statistics.Read.Bytes;
        await Task.Delay(200, TestContext.Current.CancellationToken);
        // The reading thread may finish the batch of lines that it was at.
        Assert.InRange(stream.Statistics.Read.Bytes - read, 0, 2 * options.TextBatchBytes);
    }

    [Fact]
    public async Task A_failure_comes_after_the_batches_in_the_queue()
    {
        var whole = WriteText(50_000); // more than all stages hold at once, so that some of it is through when the failure comes
        var damaged = _files.Write("damaged", [.. Encoding.UTF8.GetBytes("PK\u0003\u0004"), 20, 0, 0, 0, 8, 0]);
        using var stream = Start(Options(whole, damaged));
        var batches = 0;
        var failure = await Assert.ThrowsAsync<SourceException>(async () =>
        {
            await foreach (var _ in stream.Reader.ReadAllAsync(TestContext.Current.CancellationToken))
                batches++;
        });
        Assert.StartsWith(damaged, failure.Message);
        Assert.True(batches > 0);
        await Assert.ThrowsAsync<SourceException>(() => stream.Completion);
    }

    [Fact]
    public async Task The_end_of_the_materializer_ends_the_stream()
    {
        using var system = ActorSystem.Create("ending");
        var materializer = system.Materializer();
        using var stream = BatchStream.Start(
            Options(WriteText(50_000)).WithEpochs(0), Split.Train, materializer, tokenizer: TestTokenizer.Instance);
        await stream.Reader.ReadAsync(TestContext.Current.CancellationToken);
        materializer.Shutdown();
        await Assert.ThrowsAnyAsync<Exception>(() => stream.Completion.WaitAsync(Patience, TestContext.Current.CancellationToken));
        await Assert.ThrowsAnyAsync<InvalidOperationException>(async () =>
        {
            await foreach (var _ in stream.Reader.ReadAllAsync(TestContext.Current.CancellationToken)) { }
        });
    }

    [Fact]
    public async Task The_validation_side_runs_beside_the_training_side()
    {
        var options = Options(WriteText(2000)) with { ValidationFraction = 0.3 };
        using var train = Start(options);
        using var validation = BatchStream.Start(options, Split.Validation, streams.Materializer, tokenizer: TestTokenizer.Instance);
        var held = 0;
        await foreach (var batch in validation.Reader.ReadAllAsync(TestContext.Current.CancellationToken))
            held += batch.Rows;
        Assert.InRange(held, 1, 2000);
        Assert.True(await train.Reader.WaitToReadAsync(TestContext.Current.CancellationToken));
    }

    private BatchStream Start(PipelineOptions options) =>
        BatchStream.Start(options, Split.Train, streams.Materializer, tokenizer: TestTokenizer.Instance);

    private string WriteText(int lines) => _files.Write(
        "text", Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, lines).Select(i => $"{i}匹の猫と犬。\n{(i % 10 == 9 ? "\n" : "")}"))), CompressionFormat.Zstandard);

    private static PipelineOptions Options(params string[] sources) =>
        new() { Sources = [sources], Tokenizer = "", BlockSize = 64, Rows = 2, Workers = 2, ValidationFraction = 0 };
}
