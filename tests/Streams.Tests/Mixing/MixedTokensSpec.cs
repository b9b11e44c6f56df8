using Streaming.Streams.Batches;

namespace Streaming.Streams.Tests.Mixing;

public sealed class MixedTokensSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private const int Block = 16;
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Over_any_window_of_the_stream_the_tokens_of_a_source_are_its_share_to_two_blocks_and_from_the_start_to_one()
    {
        // Lines of very different length, so that counting lines or documents would be far off.
        var options = Options(Source("long", 5, 400), Source("short", 3, 1), Source("middle", 2, 20));
        var tokens = await TokensAfterEachBlock(options, 400);
        AssertShares(tokens, [0.5, 0.3, 0.2]);
    }

    [Fact]
    public async Task New_weights_hold_from_the_resume_on()
    {
        var options = Options(Source("long", 5, 400), Source("short", 3, 1), Source("middle", 2, 20));
        var cursor = (await streams.Take(options, count: 101))[^1].Cursor;
        var changed = options with { Sources = [.. options.Sources.Zip([1.0, 1.0, 6.0], (source, weight) => source with { Weight = weight })] };
        AssertShares(await TokensAfterEachBlock(changed, 300, cursor), [0.125, 0.125, 0.75]);
    }

    private static void AssertShares(long[][] tokens, double[] shares)
    {
        for (var source = 0; source < shares.Length; source++)
        {
            for (var from = 0; from < tokens.Length; from++)
            {
                for (var to = from; to < tokens.Length; to++)
                {
                    var error = Math.Abs(tokens[to][source] - tokens[from][source] - shares[source] * (to - from) * Block);
                    Assert.True(error < (from == 0 ? Block : 2 * Block), $"source {source} is {error} tokens off between block {from} and {to}");
                }
            }
        }
    }

    /// <summary>The tokens of each source before the first block and after each.</summary>
    private async Task<long[][]> TokensAfterEachBlock(PipelineOptions options, int blocks, PipelineCursor? cursor = null)
    {
        var batches = await streams.Take(options, cursor: cursor, count: blocks);
        Assert.Equal(blocks, batches.Count);
        long[][] tokens = [.. batches.Select(batch => batch.Cursor.Sources.Select(source => source.Tokens).ToArray())];
        return [cursor?.Sources.Select(source => source.Tokens).ToArray() ?? new long[options.Sources.Count], .. tokens];
    }

    private SourceOptions Source(string name, double weight, int repeats) => new()
    {
        Name = name,
        Paths = [_files.Write(name, string.Concat(Enumerable.Repeat(string.Concat(Enumerable.Repeat("猫と犬。", repeats)) + "\n\n", 50)))],
        Weight = weight,
        Epochs = 0,
    };

    private static PipelineOptions Options(params SourceOptions[] sources) =>
        new() { Sources = sources, Tokenizer = "", BlockSize = Block, Rows = 1, ValidationFraction = 0 };
}
