using CsCheck;
using Streaming.Streams.Batches;
using Streaming.Streams.Shuffling;

namespace Streaming.Streams.Tests.Shuffling;

public sealed class ShuffleSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private const int Documents = 300;

    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Each_window_is_a_permutation_and_no_document_leaves_its_window()
    {
        var options = Options(_files.Write("text", Text(0, Documents))) with { Shuffle = new() { Documents = 50 } };
        var order = await Order(options);
        Assert.NotEqual(Enumerable.Range(0, Documents), order);
        foreach (var (window, documents) in order.Chunk(50).Index())
            Assert.Equal(Enumerable.Range(window * 50, 50), documents.Order());
        // A shuffle worth its name: of 50 documents 1 stays where it was on average.
        Assert.InRange(order.Index().Count(at => at.Index == at.Item), 0, 30);
    }

    [Fact]
    public async Task Bytes_bound_a_window_too()
    {
        var options = Options(_files.Write("text", Text(0, Documents))) with { Shuffle = new() { Documents = 1000, Bytes = 40 * TokensOfDocument * sizeof(int) } };
        foreach (var (window, documents) in (await Order(options)).Chunk(40).Index())
            Assert.Equal(Enumerable.Range(window * 40, documents.Length), documents.Order());
    }

    [Fact]
    public async Task Every_epoch_and_every_seed_has_another_order_of_documents_and_files()
    {
        string[] paths = [.. Enumerable.Range(0, 6).Select(file => _files.Write($"{file}", Text(file * 50, 50)))];
        var options = Options(paths).WithEpochs(2) with { Shuffle = new() { Documents = 10, Seed = 1 } };
        var order = await Order(options);
        var (first, second) = (order[..300], order[300..]);
        Assert.Equal(Enumerable.Range(0, 300), first.Order());
        Assert.Equal(Enumerable.Range(0, 300), second.Order());
        Assert.NotEqual(first, second);
        Assert.NotEqual(Files(first), Files(second));
        Assert.NotEqual(order, await Order(options with { Shuffle = new() { Documents = 10, Seed = 2 } }));
        Assert.Equal(order, await Order(options with { Workers = 3, TextBatchBytes = 77 }));

        static IEnumerable<int> Files(IEnumerable<int> documents) => documents.Chunk(50).Select(file => file.Min() / 50);
    }

    [Fact]
    public async Task Held_out_text_keeps_its_order()
    {
        var options = Options(_files.Write("text", Text(0, Documents))) with { ValidationFraction = 0.5 };
        Assert.Equal(await Order(options, Split.Validation), await Order(options with { Shuffle = new() { Documents = 50 } }, Split.Validation));
    }

    [Fact]
    public async Task No_more_is_read_than_two_windows_and_what_is_under_way_hold()
    {
        var path = _files.Write("text", Text(0, 1000));
        var options = Options(path).WithEpochs(0) with { Shuffle = new() { Documents = 200 }, Workers = 2, QueueCapacity = 1, TextBatchBytes = 100 };
        using var stream = BatchStream.Start(options, Split.Train, streams.Materializer, tokenizer: TestTokenizer.Instance);
        await stream.Reader.ReadAsync(TestContext.Current.CancellationToken);
        var (read, before) = (0L, -1L);
        while (read != before)
        {
            await Task.Delay(300, TestContext.Current.CancellationToken);
            (before, read) = (read, stream.Statistics.Read.Bytes);
        }
        // 400 documents of 32 bytes in the windows, 12 batches of 100 bytes and a document more between the stages,
        // and what has left the shuffling: an element of 16,384 tokens, each of about a byte, in the packer, one in the mix.
        Assert.InRange(read, 200 * 32, 400 * 32 + 12 * 132 + 2 * 17_000);
    }

    [Fact]
    public void A_permutation_is_fair()
    {
        var random = new SeededRandom(1);
        var places = new int[4, 4];
        for (var round = 0; round < 24_000; round++)
        {
            int[] items = [0, 1, 2, 3];
            random.Permute(items);
            for (var place = 0; place < 4; place++)
                places[items[place], place]++;
        }
        // 24,000 draws of a quarter: 6,000 with a deviation of 67; five of them either way.
        Assert.All(places.Cast<int>(), count => Assert.InRange(count, 6000 - 335, 6000 + 335));
    }

    [Fact]
    public void A_number_below_a_limit_is_below_it() =>
        Gen.Select(Gen.ULong, Gen.Int[1, int.MaxValue]).Sample((seed, limit) => Assert.InRange(new SeededRandom(seed).Below(limit), 0, limit - 1));

    /// <summary>Each document is as many tokens as any other: its number in three letters, ten times.</summary>
    private const int TokensOfDocument = 31;

    private static string Text(int first, int count) =>
        string.Concat(Enumerable.Range(first, count).Select(i => string.Concat(Enumerable.Repeat($"{i:D3}", 10)) + "\n\n"));

    private static PipelineOptions Options(params string[] paths) =>
        new() { Sources = [paths], Tokenizer = "", BlockSize = TokensOfDocument, Rows = 1, ValidationFraction = 0 };

    /// <summary>The documents' numbers in the order in which they came.</summary>
    private async Task<int[]> Order(PipelineOptions options, Split split = Split.Train) =>
        [.. (await streams.Take(options, split)).Select(batch => int.Parse(TestTokenizer.Instance.Decode(batch.Tokens)![..3]))];
}
