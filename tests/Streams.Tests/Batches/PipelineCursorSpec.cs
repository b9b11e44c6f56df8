using System.Globalization;
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

    [Fact]
    public async Task A_resumed_stream_is_what_the_uninterrupted_one_would_have_been()
    {
        var compared = 0;
        // STREAMING_RESUME_DRAWS=5000 for a night.
        var draws = int.Parse(Environment.GetEnvironmentVariable("STREAMING_RESUME_DRAWS") ?? "100", CultureInfo.InvariantCulture);
        await DrawnPipeline.Any.SampleAsync(async drawn =>
        {
            using var files = new TextFiles();
            var options = drawn.Write(files);
            var whole = await streams.Take(options, drawn.Split);
            if (whole.Count == 0)
                return;
            var cut = drawn.Cut % whole.Count;
            var state = await CutOff(drawn, options, cut, Directory.CreateDirectory(Path.Combine(files.Folder, "state")).FullName);
            var resumed = await streams.Take(drawn.Resumed(options), drawn.Split, Revived(whole[cut].Cursor), stateFolder: state);
            AssertSame(whole.Skip(cut + 1).ToList(), resumed);
            Interlocked.Add(ref compared, resumed.Count);
        }, iter: draws, threads: 2);
        Assert.True(compared > 3 * draws, $"only {compared} batches were compared");
    }

    /// <summary>Runs a stream up to a batch and writes the state that belongs to its cursor, while the stream is ahead of it.</summary>
    private async Task<string> CutOff(DrawnPipeline drawn, PipelineOptions options, int cut, string folder)
    {
        var wholeCache = options.TokenCache + "-whole";
        if (drawn.Caches && drawn.Split == Split.Train)
            Directory.Move(options.TokenCache!, wholeCache);
        using var stream = BatchStream.Start(options, drawn.Split, streams.Materializer, tokenizer: TestTokenizer.Instance);
        var batch = await stream.Reader.ReadAsync();
        for (var index = 0; index < cut; index++)
            batch = await stream.Reader.ReadAsync();
        await Task.Delay(drawn.Cut % 3);
        foreach (var file in stream.StateAt(batch.Cursor))
        {
            using var target = File.Create(Path.Combine(folder, file.Name));
            file.Write(target);
        }
        stream.Stop();
        await stream.Completion;
        if (!drawn.Caches || drawn.Split != Split.Train || drawn.CacheAfter == CacheAfter.AsItWasLeft)
            return folder;
        Directory.Delete(options.TokenCache!, recursive: true);
        if (drawn.CacheAfter == CacheAfter.Lost)
            return folder;
        Directory.Move(wholeCache, options.TokenCache!);
        foreach (var path in Directory.GetFiles(options.TokenCache!, "*.blocks").Where(path => drawn.CacheAfter == CacheAfter.Damaged && new FileInfo(path).Length > 0))
        {
            using var damaged = new FileStream(path, FileMode.Open);
            damaged.Position = drawn.Cut * 7919L % damaged.Length;
            var value = damaged.ReadByte();
            damaged.Position--;
            damaged.WriteByte((byte)~value);
        }
        return folder;
    }

    [Fact]
    public async Task Rows_and_block_size_may_change_where_a_run_is_resumed()
    {
        var options = Options(_files.Write("a", string.Concat(Enumerable.Range(0, 300).Select(i => $"{i}匹の猫と犬。\n\n"))));
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

        Assert.Contains("b was a file", Refusal(Options(first), cursor));
        Assert.Contains("is a file of source text now", Refusal(Options(first, second, first), cursor));
        Assert.Contains("it was a", Refusal(Options(second, first), cursor));
        Assert.Contains("version 3", Refusal(options, cursor with { Version = 3 }));
        Assert.Contains("does not point", Refusal(options, At(cursor, SourcePosition.StartOf(0, 2))));
        Assert.Contains("is read as", Refusal(options with { Sources = [options.Sources[0] with { Kind = SourceKind.Lines }] }, cursor));
        _files.Write("b", "犬と猫と犬。犬\n");
        Assert.Contains("22 bytes, when the cursor was made it had 19", Refusal(options, cursor));
        File.Delete(second);
        Assert.Contains("does not exist", Refusal(options, cursor));
    }

    [Fact]
    public async Task A_cursor_is_refused_where_the_tokens_would_be_others()
    {
        var options = Options(_files.Write("a", "猫と犬。\n犬と猫。\n"));
        var cursor = (await streams.Take(options))[0].Cursor;
        Assert.Contains("the tokenizer is another", Refusal(options, cursor with { Text = cursor.Text with { Tokenizer = "" } }));
        Assert.Contains("normalize is false, when the cursor was made it was true", Refusal(options with { Normalize = false }, cursor));
        Assert.Contains("append-end-of-sentence is false", Refusal(options with { AppendEndOfSentence = false }, cursor));
        Assert.Contains("0.1 of the text is held out by the rule Tail, when the cursor was made it was 0 by Hash",
            Refusal(options with { ValidationFraction = 0.1, ValidationRule = ValidationRule.Tail }, cursor));
        Assert.Contains("by the seed 3, when the cursor was made they were not shuffled", Refusal(options with { Shuffle = new() { Seed = 3 } }, cursor));
        // What does not change the tokens may change.
        await streams.Take(options with { DocumentMask = true, Workers = 3, BlockSize = 2, Rows = 1 }, cursor: cursor);
    }

    [Fact]
    public async Task Sources_may_come_and_go_and_weights_may_change()
    {
        var options = Options() with { BlockSize = 4, Rows = 4, Sources = [Source("cats", "猫と犬。"), Source("dogs", "犬と猫と犬。")] };
        var cursor = (await streams.Take(options, count: 3))[^1].Cursor;
        Assert.Equal([24, 24], cursor.Sources.Select(source => source.Tokens));

        var weighted = options with { Sources = [options.Sources[0] with { Weight = 3 }, options.Sources[1]] };
        var after = (await streams.Take(weighted, cursor: cursor, count: 3))[^1].Cursor;
        Assert.Equal([24 + 36, 24 + 12], after.Sources.Select(source => source.Tokens));
        Assert.Equal([9, 3], after.Sources.Select(source => source.BlocksMixed));

        var other = options with { Sources = [Source("birds", "鳥。"), options.Sources[1]] };
        var resumed = (await streams.Take(other, cursor: cursor, count: 1))[0];
        Assert.Equal(["birds", "dogs"], resumed.Cursor.Sources.Select(source => source.Name));
        Assert.Equal([8, 24 + 8], resumed.Cursor.Sources.Select(source => source.Tokens));
        Assert.Equal(
            (await streams.Take(options with { Sources = [other.Sources[0]], Rows = 1 }, count: 1))[0].Tokens,
            resumed.Tokens[..4]);

        SourceOptions Source(string name, string line) =>
            new() { Name = name, Paths = [_files.Write(name, string.Concat(Enumerable.Repeat(line + "\n", 50)))], Epochs = 0 };
    }

    [Fact]
    public async Task A_source_that_has_ended_goes_on_where_it_may_be_read_more_often()
    {
        var text = string.Concat(Enumerable.Repeat("猫と犬。\n", 50));
        var options = Options() with
        {
            BlockSize = 4,
            Rows = 1,
            Sources = [new() { Name = "short", Paths = [_files.Write("a", text)] }, new() { Name = "long", Paths = [_files.Write("b", text)], Epochs = 3 }],
        };
        var whole = await streams.Take(options);
        var last = whole[^1].Cursor;
        Assert.Equal([1, null], last.Sources.Select(source => source.EndedAfter)); // the end of the last one has not been met
        Assert.Empty(await streams.Take(options, cursor: last));
        var again = await streams.Take(options with { Sources = [options.Sources[0] with { Epochs = 2 }, options.Sources[1]] }, cursor: last);
        var epoch = last.Sources[0].Tokens;
        // What the first pass left of a block is used up by the second.
        Assert.InRange(again.Sum(batch => batch.Tokens.Length), epoch, epoch + 4);
    }

    [Fact]
    public async Task A_cursor_past_the_end_of_the_text_is_refused()
    {
        foreach (var format in new[] { CompressionFormat.Plain, CompressionFormat.Gzip })
        {
            var options = Options(_files.Write($"{format}", Encoding.UTF8.GetBytes("猫と犬。\n"), format)) with { BlockSize = 1, Rows = 1 };
            var beyond = At((await streams.Take(options))[0].Cursor, new SourcePosition(0, 0, 1000, 1, 1));
            var failure = await Assert.ThrowsAsync<SourceException>(() => streams.Take(options, cursor: beyond));
            Assert.Contains("ends before byte 1000", failure.Message);
        }
    }

    private static PipelineOptions Options(params string[] paths) =>
        new() { Sources = [paths], Tokenizer = "", BlockSize = 3, Rows = 2, ValidationFraction = 0 };

    private static string Refusal(PipelineOptions options, PipelineCursor cursor) =>
        Assert.Throws<SourceException>(() => TextPipeline.Batches(options, Split.Train, cursor, TestTokenizer.Instance)).Message;

    private static PipelineCursor At(PipelineCursor cursor, SourcePosition position) =>
        cursor with { Sources = [cursor.Sources[0] with { Place = new SourcePlace(position, 0, 0) }] };

    /// <summary>What a checkpoint's file would give back.</summary>
    private static PipelineCursor Revived(PipelineCursor cursor) =>
        JsonSerializer.Deserialize<PipelineCursor>(JsonSerializer.Serialize(cursor, JsonSerializerOptions.Web), JsonSerializerOptions.Web)!;

    private static void AssertSame(IReadOnlyList<TokenBatch> expected, IReadOnlyList<TokenBatch> found)
    {
        Assert.Equal(expected.Select(batch => batch.Rows), found.Select(batch => batch.Rows));
        Assert.Equal(expected.SelectMany(batch => batch.Tokens), found.SelectMany(batch => batch.Tokens));
        Assert.Equal(expected.Select(batch => batch.DocumentStarts), found.Select(batch => batch.DocumentStarts));
        Assert.Equal(expected.Select(batch => batch.Cursor), found.Select(batch => batch.Cursor));
    }
}
