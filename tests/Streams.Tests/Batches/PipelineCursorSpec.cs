using System.Text;
using System.Text.Json;
using CsCheck;
using Streaming.Streams.Batches;
using Streaming.Streams.Compression;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Batches;

public sealed class PipelineCursorSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    private static readonly Gen<byte[]> Line = Gen.OneOf(
        Gen.OneOf("", "", "猫と犬。", "ab abc", "「猫」と。犬!", "ａｂ~~", "\0", "   ").Select(Encoding.UTF8.GetBytes),
        Gen.Byte.Array[0, 12]);

    private static readonly Gen<byte[]> Content =
        Gen.Select(Line.Array[0, 40], Gen.OneOf("\n", "\r\n"), (lines, end) => lines.SelectMany(line => line.Concat(Encoding.UTF8.GetBytes(end))).ToArray());

    private sealed record Case(
        (byte[] Content, CompressionFormat Format)[] Files, int BlockSize, int Rows, int Epochs, bool Normalize, double Fraction, Split Split,
        int Cut, int WorkersBefore, int WorkersAfter, int TextBatchBytes);

    private static readonly Gen<Case> Cases =
        from files in Gen.Select(Content, Gen.Enum<CompressionFormat>()).Array[1, 3]
        from shape in Gen.Select(Gen.Int[1, 30], Gen.Int[1, 3], Gen.Int[1, 3])
        from normalize in Gen.Bool
        from fraction in Gen.OneOf(0, 0.1, 0.5)
        from split in Gen.Enum<Split>()
        from rest in Gen.Select(Gen.Int[0, 1000], Gen.Int[1, 4], Gen.Int[1, 4], Gen.Int[1, 200])
        select new Case(files, shape.Item1, shape.Item2, shape.Item3, normalize, fraction, split, rest.Item1, rest.Item2, rest.Item3, rest.Item4);

    [Fact]
    public async Task A_resumed_stream_is_what_the_uninterrupted_one_would_have_been()
    {
        var compared = 0;
        await Cases.SampleAsync(async sample =>
        {
            using var files = new TextFiles();
            var options = Options([.. sample.Files.Select((file, index) => files.Write($"{index}", file.Content, file.Format))]).WithEpochs(sample.Epochs) with
            {
                BlockSize = sample.BlockSize,
                Rows = sample.Rows,
                Normalize = sample.Normalize,
                ValidationFraction = sample.Fraction,
                Workers = sample.WorkersBefore,
                TextBatchBytes = sample.TextBatchBytes,
            };
            var whole = await streams.Take(options, sample.Split);
            if (whole.Count == 0)
                return;
            var cut = sample.Cut % whole.Count;
            var resumed = await streams.Take(options with { Workers = sample.WorkersAfter }, sample.Split, Revived(whole[cut].Cursor));
            AssertSame(whole.Skip(cut + 1).ToList(), resumed);
            compared += resumed.Count;

            // How text is cut for the stages may change as well: the tokens stay.
            var coarser = await streams.Take(options with { TextBatchBytes = 150 }, sample.Split, whole[cut].Cursor);
            Assert.Equal(whole.Skip(cut + 1).SelectMany(batch => batch.Tokens), coarser.SelectMany(batch => batch.Tokens));
        }, iter: 150, threads: 2);
        Assert.True(compared > 1000, $"only {compared} batches were compared");
    }

    [Fact]
    public async Task Rows_and_block_size_may_change_where_a_run_is_resumed()
    {
        var options = Options(_files.Write("a", string.Concat(Enumerable.Range(0, 300).Select(i => $"{i}匹の猫と犬。\n"))));
        var whole = (await streams.Take(options)).SelectMany(batch => batch.Tokens).ToArray();
        var batch = (await streams.Take(options, count: 5))[^1];
        var resumed = await streams.Take(options with { Rows = 3, BlockSize = 5 }, cursor: batch.Cursor);
        var tokens = resumed.SelectMany(next => next.Tokens).ToArray();
        Assert.Equal(whole.Skip(5 * batch.Tokens.Length).Take(tokens.Length), tokens.Take(whole.Length - 5 * batch.Tokens.Length));
    }

    [Fact]
    public async Task The_cursor_of_the_last_batch_ends_the_stream()
    {
        var options = Options(_files.Write("a", "猫と犬。\n犬と猫。\n"));
        var whole = await streams.Take(options with { BlockSize = 4, Rows = 1 });
        Assert.Empty(await streams.Take(options with { BlockSize = 4, Rows = 1 }, cursor: whole[^1].Cursor));
    }

    [Fact]
    public async Task A_cursor_is_refused_where_the_sources_are_others()
    {
        var first = _files.Write("a", "猫と犬。\n犬と猫。\n");
        var second = _files.Write("b", "犬と猫と犬。\n");
        var options = Options(first, second);
        var cursor = (await streams.Take(options))[0].Cursor;

        Assert.Contains("b was a source", Refusal(Options(first), cursor));
        Assert.Contains("is a source now", Refusal(Options(first, second, first), cursor));
        Assert.Contains("it was a", Refusal(Options(second, first), cursor));
        Assert.Contains("version 3", Refusal(options, cursor with { Version = 3 }));
        Assert.Contains("does not point", Refusal(options, cursor with { Position = SourcePosition.StartOf(0, 2) }));
        _files.Write("b", "犬と猫と犬。犬\n");
        Assert.Contains("22 bytes, when the cursor was made it had 19", Refusal(options, cursor));
        File.Delete(second);
        Assert.Contains("does not exist", Refusal(options, cursor));

        static string Refusal(PipelineOptions options, PipelineCursor cursor) =>
            Assert.Throws<SourceException>(() => TextPipeline.Batches(options, Split.Train, cursor, TestTokenizer.Instance)).Message;
    }

    [Fact]
    public async Task A_cursor_past_the_end_of_the_text_is_refused()
    {
        foreach (var format in new[] { CompressionFormat.Plain, CompressionFormat.Gzip })
        {
            var options = Options(_files.Write($"{format}", Encoding.UTF8.GetBytes("猫と犬。\n"), format)) with { BlockSize = 1, Rows = 1 };
            var cursor = (await streams.Take(options))[0].Cursor;
            var beyond = cursor with { Position = new SourcePosition(0, 0, 1000, 1, 1) };
            var failure = await Assert.ThrowsAsync<SourceException>(() => streams.Take(options, cursor: beyond));
            Assert.Contains("ends before byte 1000", failure.Message);
        }
    }

    private static PipelineOptions Options(params string[] sources) =>
        new() { Sources = [sources], Tokenizer = "", BlockSize = 3, Rows = 2, ValidationFraction = 0 };

    /// <summary>What a checkpoint's file would give back.</summary>
    private static PipelineCursor Revived(PipelineCursor cursor) =>
        JsonSerializer.Deserialize<PipelineCursor>(JsonSerializer.Serialize(cursor, JsonSerializerOptions.Web), JsonSerializerOptions.Web)!;

    private static void AssertSame(IReadOnlyList<TokenBatch> expected, IReadOnlyList<TokenBatch> found)
    {
        Assert.Equal(expected.Select(batch => batch.Rows), found.Select(batch => batch.Rows));
        Assert.Equal(expected.SelectMany(batch => batch.Tokens), found.SelectMany(batch => batch.Tokens));
        Assert.Equal(expected.Select(batch => batch.Cursor), found.Select(batch => batch.Cursor));
    }
}
