using System.IO.Pipes;
using System.Text;
using Streaming.Streams.Batches;
using Streaming.Streams.Compression;
using Streaming.Streams.Documents;
using Streaming.Streams.Measurement;
using Streaming.Streams.Normalization;
using Streaming.Streams.Sources;
using Streaming.Streams.Tests.Compression;
using Streaming.Streams.Text;

namespace Streaming.Streams.Tests;

public sealed class TextPipelineSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    /// <summary>120 documents of one to five lines.</summary>
    private static string[][] Documents { get; } = [.. Enumerable.Range(0, 120).Select(i =>
        Enumerable.Range(0, 1 + i % 5).Select(j => $"猫と犬 {i}、{j}。ａｂｃ~ab! 「{i * j}」だ。").ToArray())];

    private static string Text { get; } = string.Concat(Documents.Select(document => string.Join('\n', document) + "\n\n"));

    [Theory]
    [InlineData(CompressionFormat.Plain)]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Xz)]
    [InlineData(CompressionFormat.Bzip2)]
    [InlineData(CompressionFormat.Zstandard)]
    public async Task Batches_hold_the_tokens_of_all_sentences_one_after_the_other(CompressionFormat format)
    {
        var options = Options(_files.Write("text", Encoding.UTF8.GetBytes(Text), format)) with { ValidationFraction = 0 };
        var statistics = new PipelineStatistics();
        var batches = await streams.Take(options, statistics: statistics);

        var tokens = batches.SelectMany(batch => batch.Tokens).ToArray();
        var expected = ExpectedTokens(Documents, options);
        Assert.Equal(expected[..tokens.Length], tokens);
        Assert.All(batches, batch => Assert.Equal((options.Rows, options.BlockSize), (batch.Rows, batch.BlockSize)));
        Assert.InRange(expected.Length - tokens.Length, 0, options.Rows * options.BlockSize - 1);
        Assert.Equal(expected.Length - tokens.Length, statistics.DroppedTokens);
        Assert.Equal(Encoding.UTF8.GetByteCount(Text), statistics.Read.Bytes);
        Assert.Equal(expected.Length, statistics.Tokenize.Tokens);
        Assert.Equal(1, statistics.EpochsCompleted);
    }

    [Fact]
    public async Task Lines_are_taken_as_they_are_without_normalisation_and_without_end_of_sentence()
    {
        var options = Options(_files.Write("text", Text)) with { ValidationFraction = 0, Normalize = false, AppendEndOfSentence = false };
        var tokens = (await streams.Take(options)).SelectMany(batch => batch.Tokens).ToArray();
        var expected = ExpectedTokens(Documents, options);
        Assert.NotEmpty(tokens);
        Assert.Equal(expected[..tokens.Length], tokens);
    }

    [Fact]
    public async Task Validation_yields_its_documents_to_the_last_full_block()
    {
        var options = Options(_files.Write("text", Text)) with { ValidationFraction = 0.3, Rows = 4 };
        var held = Documents.Where(document => IsHeldOut(document, 0.3)).ToArray();
        var batches = await streams.Take(options, Split.Validation);

        var expected = ExpectedTokens(held, options);
        Assert.Equal(expected[..(expected.Length / options.BlockSize * options.BlockSize)], batches.SelectMany(batch => batch.Tokens));
        Assert.InRange(batches[^1].Rows, 1, options.Rows);
        Assert.Equal(batches[^1].Rows * options.BlockSize, batches[^1].Tokens.Length);

        var trained = (await streams.Take(options)).SelectMany(batch => batch.Tokens).ToArray();
        Assert.Equal(ExpectedTokens(Documents.Except(held), options)[..trained.Length], trained);
    }

    [Fact]
    public async Task Workers_and_the_size_of_text_batches_change_nothing()
    {
        var options = Options(_files.Write("text", Text));
        var expected = (await streams.Take(options with { Workers = 1 })).SelectMany(batch => batch.Tokens);
        foreach (var (workers, bytes) in new[] { (2, 64), (7, 100), (4, 5000) })
            Assert.Equal(expected, (await streams.Take(options with { Workers = workers, TextBatchBytes = bytes })).SelectMany(batch => batch.Tokens));
    }

    [Fact]
    public async Task Epochs_follow_each_other_without_a_seam_and_none_means_for_ever()
    {
        var path = _files.Write("text", Text);
        var options = Options(path).WithEpochs(3);
        var threefold = Options(path, path, path);
        var expected = (await streams.Take(threefold)).SelectMany(batch => batch.Tokens).ToArray();
        Assert.Equal(expected, (await streams.Take(options)).SelectMany(batch => batch.Tokens));

        var count = 2 * expected.Length / (options.Rows * options.BlockSize);
        Assert.Equal(count, (await streams.Take(options.WithEpochs(0), count: count)).Count);
    }

    [Fact]
    public async Task An_endless_stream_without_text_is_an_error_and_not_a_loop()
    {
        var options = Options(_files.Write("empty", "\n\n")).WithEpochs(0);
        Assert.Contains("no text", (await Assert.ThrowsAsync<SourceException>(() => streams.Take(options))).Message);
        options = Options(_files.Write("nothing", "")).WithEpochs(0);
        Assert.Contains("no text", (await Assert.ThrowsAsync<SourceException>(() => streams.Take(options))).Message);
        options = Options(_files.Write("one", "一つだけ\n")).WithEpochs(0) with { ValidationFraction = 1 - 1e-9 };
        Assert.Contains("no text", (await Assert.ThrowsAsync<SourceException>(() => streams.Take(options))).Message);
    }

    [Fact]
    public async Task A_damaged_archive_ends_the_stream_with_its_name_and_place()
    {
        var archive = Archives.Compress(CompressionFormat.Xz, Encoding.UTF8.GetBytes(Text));
        var path = _files.Write("cut.xz", archive[..(archive.Length / 2)]);
        var failure = await Assert.ThrowsAsync<SourceException>(() => streams.Take(Options(path)));
        Assert.StartsWith(path, failure.Message);
        Assert.Contains("cut short", failure.Message);

        archive[archive.Length - 40] ^= 1;
        path = _files.Write("damaged.xz", archive);
        failure = await Assert.ThrowsAsync<SourceException>(() => streams.Take(Options(path)));
        Assert.StartsWith(path, failure.Message);
        Assert.Contains($"line {Text.Count(character => character == '\n')} ", failure.Message);
        Assert.DoesNotContain("\n", failure.Message);
    }

    [Fact]
    public async Task Hostile_lines_pass()
    {
        byte[] text = [.. "a\0b\r\n"u8, 0xED, 0xA0, 0x80, (byte)'\n', .. Encoding.UTF8.GetBytes(new string('猫', 1_000_000)), (byte)'\n', .. "   \n\u3000\n"u8];
        var options = Options(_files.Write("hostile", text)) with { ValidationFraction = 0 };
        var statistics = new PipelineStatistics();
        var batches = await streams.Take(options, statistics: statistics);
        Assert.Equal(3, statistics.InvalidBytes);
        Assert.InRange(batches.Sum(batch => batch.Tokens.Length), 1_000_000, 1_000_100);
    }

    [Fact]
    public async Task A_pipe_is_read_like_a_file_and_skipped_up_to_the_cursor()
    {
        var text = Encoding.UTF8.GetBytes(Text);
        var expected = await streams.Take(Options(_files.Write("text", text)));
        Assert.Equal(expected.SelectMany(batch => batch.Tokens), await Piped(null));
        var cursor = expected[4].Cursor;
        cursor = cursor with { Sources = [cursor.Sources[0] with { Files = [new SourceIdentity("pipe", null)] }] };
        Assert.Equal(expected.Skip(5).SelectMany(batch => batch.Tokens), await Piped(cursor));

        async Task<IEnumerable<int>> Piped(PipelineCursor? cursor)
        {
            using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
            var path = Path.Combine(_files.Folder, "pipe");
            File.Delete(path);
            using var end = File.OpenHandle($"/proc/self/fd/{pipe.GetClientHandleAsString()}"); // outlives the pipe's own
            File.CreateSymbolicLink(path, $"/proc/self/fd/{end.DangerousGetHandle()}");
            var writing = Task.Run(() =>
            {
                pipe.Write(Archives.Compress(CompressionFormat.Gzip, text));
                pipe.Dispose();
            });
            var tokens = (await streams.Take(Options(path), cursor: cursor)).SelectMany(batch => batch.Tokens);
            await writing;
            return tokens;
        }
    }

    [Fact]
    public void Standard_input_is_refused_where_it_would_have_to_be_read_twice()
    {
        Assert.Contains("epochs", Refusal(Options("-").WithEpochs(0), Split.Train));
        Assert.Contains("validation", Refusal(Options("-"), Split.Validation));

        static string Refusal(PipelineOptions options, Split split) =>
            Assert.Throws<SourceException>(() => TextPipeline.Batches(options, split, tokenizer: TestTokenizer.Instance)).Message;
    }

    private static PipelineOptions Options(params string[] sources) => new()
    {
        Sources = [sources],
        Tokenizer = "",
        BlockSize = 17,
        Rows = 3,
        Workers = 2,
        ValidationFraction = 0.1,
        TextBatchBytes = 700,
    };

    private static bool IsHeldOut(string[] document, double fraction) =>
        DocumentHash.SideOf(DocumentHash.Of(document[0]), fraction) == Split.Validation;

    private static int[] ExpectedTokens(IEnumerable<string[]> documents, PipelineOptions options)
    {
        var encoder = TestTokenizer.Instance.CreateEncoder();
        var (sentences, tokens) = (new TextBatch(), new TokenBuffer());
        foreach (var line in documents.SelectMany(document => document))
        {
            if (options.Normalize)
                SentenceSplitter.Split(JapaneseNormalizer.Normalize(line), sentences);
            else
                sentences.AppendLine(line);
        }
        for (var index = 0; index < sentences.Count; index++)
        {
            encoder.Encode(sentences[index], tokens);
            if (options.AppendEndOfSentence)
                tokens.Add(TestTokenizer.Instance.EosId!.Value);
        }
        return tokens.Span.ToArray();
    }
}
