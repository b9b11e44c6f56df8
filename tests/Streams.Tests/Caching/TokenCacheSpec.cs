using CsCheck;
using Streaming.Streams.Batches;
using Streaming.Streams.Caching;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Tests.Caching;

public sealed class TokenCacheSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void An_order_of_blocks_has_each_once_and_every_epoch_another()
    {
        Gen.Select(Gen.Int[1, 3000], Gen.Long, Gen.Long[1, 1000]).Sample((count, seed, epoch) =>
        {
            var order = Order(count, seed, epoch);
            Assert.Equal(Enumerable.Range(0, count).Select(block => (long)block), order.Order());
            if (count > 20)
            {
                Assert.NotEqual(order, Order(count, seed, epoch + 1));
                Assert.NotEqual(order, Order(count, seed + 1, epoch));
            }
        }, iter: 200);

        static long[] Order(int count, long seed, long epoch)
        {
            var permutation = new BlockPermutation(count, seed, epoch);
            return [.. Enumerable.Range(0, count).Select(place => permutation[place])];
        }
    }

    [Fact]
    public void A_block_is_about_as_likely_at_any_place_and_beside_any_other()
    {
        const int count = 40, epochs = 20_000;
        var (firsts, neighbours) = (new int[count], 0);
        for (var epoch = 0; epoch < epochs; epoch++)
        {
            var order = new BlockPermutation(count, 1, epoch);
            firsts[order[0]]++;
            neighbours += order[1] == order[0] + 1 ? 1 : 0;
        }
        // 500 each with a deviation of 22; a follower in the text follows in 1 of 40 orders: 500 likewise (39/40 of it has one).
        Assert.All(firsts, times => Assert.InRange(times, 500 - 112, 500 + 112));
        Assert.InRange(neighbours, 487 - 112, 487 + 112);
    }

    [Fact]
    public async Task Later_epochs_are_the_first_in_another_order_and_need_no_text()
    {
        var options = Options() with { Shuffle = new() { Documents = 10 } };
        var statistics = new PipelineStatistics();
        var batches = await streams.Take(options, statistics: statistics);
        var epochs = batches.Select(Key).Chunk(batches.Count / 3).ToList();
        Assert.Equal(3, epochs.Count);
        Assert.Equal(epochs[0].Order(), epochs[1].Order());
        Assert.Equal(epochs[0].Order(), epochs[2].Order());
        Assert.NotEqual(epochs[0], epochs[1]);
        Assert.NotEqual(epochs[1], epochs[2]);
        Assert.Equal(new FileInfo(options.Sources[0].Paths[0]).Length, statistics.Read.Bytes);

        statistics = new PipelineStatistics();
        AssertSame(batches, await streams.Take(options, statistics: statistics));
        Assert.Equal(0, statistics.Read.Bytes);
        Assert.Equal(3, statistics.EpochsCompleted);
    }

    [Fact]
    public async Task Without_shuffling_later_epochs_keep_the_order()
    {
        var batches = await streams.Take(Options());
        var epochs = batches.Select(Key).Chunk(batches.Count / 3).ToList();
        Assert.Equal(epochs[0], epochs[1]);
        Assert.Equal(
            (await streams.Take(Options() with { TokenCache = null }, count: epochs[0].Length)).Select(Key),
            epochs[0]);
    }

    [Fact]
    public async Task A_short_cache_is_made_anew_and_one_of_other_options_is_left_alone()
    {
        var options = Options();
        var expected = await streams.Take(options);
        var file = Assert.Single(Directory.GetFiles(options.TokenCache!, "*.blocks"));
        var whole = File.ReadAllBytes(file);
        foreach (var length in new[] { 0, 1, whole.Length / 2, whole.Length - 1 })
        {
            using (var cut = new FileStream(file, FileMode.Open))
                cut.SetLength(length);
            AssertSame(expected, await streams.Take(options));
            Assert.Equal(whole, File.ReadAllBytes(file));
        }
        await streams.Take(options with { Normalize = false });
        await streams.Take(options with { BlockSize = 9 });
        Assert.Equal(3, Directory.GetFiles(options.TokenCache!, "*.blocks").Length);
        Assert.Equal(whole, File.ReadAllBytes(file));
    }

    [Theory]
    [InlineData(3, 40)]  // the other is far behind what the first has written
    [InlineData(40, 3)]  // and far ahead
    [InlineData(-1, 40)] // or begins at the beginning
    public async Task Streams_that_share_a_cache_take_nothing_from_each_other(int cut, int written)
    {
        var options = Options() with { Shuffle = new() { Documents = 10 } };
        var expected = await streams.Take(options);
        var file = Assert.Single(Directory.GetFiles(options.TokenCache!, "*.blocks"));
        var whole = File.ReadAllBytes(file);
        Directory.Delete(options.TokenCache!, recursive: true);
        var cursor = cut < 0 ? null : (await streams.Take(options, count: cut + 1))[^1].Cursor;

        var first = streams.Pull(options);
        var taken = await first.TakeAsync(written);
        var other = streams.Pull(options, cursor);
        var resumed = await other.TakeAsync(1);
        taken.AddRange(await first.TakeAsync(int.MaxValue));
        AssertSame(expected, taken);
        Assert.Equal(whole, File.ReadAllBytes(file));
        resumed.AddRange(await other.TakeAsync(int.MaxValue));
        AssertSame([.. expected.Skip(cut + 1)], resumed);
        Assert.Equal(whole, File.ReadAllBytes(file));

        var statistics = new PipelineStatistics();
        AssertSame(expected, await streams.Take(options, statistics: statistics));
        Assert.Equal(0, statistics.Read.Bytes);
    }

    [Fact]
    public async Task Held_out_text_is_not_cached()
    {
        var options = Options() with { ValidationFraction = 0.5 };
        Assert.NotEmpty(await streams.Take(options, Split.Validation));
        Assert.False(Directory.Exists(options.TokenCache));
    }

    private PipelineOptions Options() => new()
    {
        Sources = [new() { Paths = [_files.Write("text", string.Concat(Enumerable.Range(0, 200).Select(i => $"{i}匹の猫と犬。\n\n")))], Epochs = 3 }],
        Tokenizer = "",
        BlockSize = 30,
        Rows = 1,
        ValidationFraction = 0,
        DocumentMask = true,
        TokenCache = Path.Combine(_files.Folder, "cache"),
    };

    private static string Key(TokenBatch batch) => string.Join(' ', batch.Tokens);

    private static void AssertSame(IReadOnlyList<TokenBatch> expected, IReadOnlyList<TokenBatch> found)
    {
        Assert.Equal(expected.Select(Key), found.Select(Key));
        Assert.Equal(expected.Select(batch => batch.DocumentStarts), found.Select(batch => batch.DocumentStarts));
        Assert.Equal(expected.Select(batch => batch.Cursor), found.Select(batch => batch.Cursor));
    }
}
