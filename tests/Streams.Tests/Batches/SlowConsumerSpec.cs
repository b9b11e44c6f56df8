using System.Diagnostics;
using System.Text;
using Streaming.Streams.Batches;

namespace Streaming.Streams.Tests.Batches;

/// <summary>What measures the memory of the process runs alone.</summary>
[CollectionDefinition(nameof(SlowConsumerSpec), DisableParallelization = true)]
[Collection(nameof(SlowConsumerSpec))]
public sealed class SlowConsumerSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task A_slow_consumer_stops_reading_and_memory_stays_flat()
    {
        var lines = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"{i}匹の猫と犬。\n{(i % 10 == 9 ? "\n" : "")}"));
        var options = new PipelineOptions
        {
            Sources = [new SourceOptions { Paths = [_files.Write("text", Encoding.UTF8.GetBytes(lines))], Epochs = 0 }],
            Tokenizer = "",
            BlockSize = 256,
            Rows = 4,
            Workers = 2,
            QueueCapacity = 4,
            ValidationFraction = 0,
        };
        using var stream = BatchStream.Start(options, Split.Train, streams.Materializer, tokenizer: TestTokenizer.Instance);

        // Nobody takes a batch: the endless text stands still after what stages and queues hold. A stage holds two batches
        // of lines for each worker at most, the reader four more, the queue 4 x 1,024 tokens of less than 4 bytes.
        var held = await UntilReadingStops(stream, options);
        Assert.InRange(held, 1, 16 * options.TextBatchBytes);

        await Take(stream, 500);
        await UntilReadingStops(stream, options);
        var heap = GC.GetTotalMemory(forceFullCollection: true);
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var read = stream.Statistics.Read.Lines;
        await Take(stream, 3000);
        await UntilReadingStops(stream, options);
        read = stream.Statistics.Read.Lines - read;
        Assert.True(read > 100_000, $"{read} lines were read");
        // A quiet run allocates some 6 bytes a line, all of them once a batch; the text of a line alone has 50.
        Assert.InRange((GC.GetTotalAllocatedBytes(precise: true) - allocated) / (double)read, 0, 25);
        // Pools may keep a few more batches of lines than before, of about half a megabyte each.
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - heap, long.MinValue, 4 << 20);
    }

    private static async Task Take(BatchStream stream, int count)
    {
        for (; count > 0; count--)
            stream.Recycle(await stream.Reader.ReadAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>Waits for a full queue and half a second in which nothing is read.</summary>
    private static async Task<long> UntilReadingStops(BatchStream stream, PipelineOptions options)
    {
        var (bytes, since) = (-1L, Stopwatch.GetTimestamp());
        while (stream.Statistics.QueueDepth < options.QueueCapacity || Stopwatch.GetElapsedTime(since) < TimeSpan.FromSeconds(0.5))
        {
            if (bytes != stream.Statistics.Read.Bytes)
                (bytes, since) = (stream.Statistics.Read.Bytes, Stopwatch.GetTimestamp());
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
        return bytes;
    }
}
