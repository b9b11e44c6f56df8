using CsCheck;

namespace Streaming.Streams.Tests.Packing;

public sealed class DocumentMaskSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task Documents_begin_where_their_first_token_is_and_rows_where_they_begin()
    {
        await Gen.Select(Gen.Int[1, 7].Array[1, 60], Gen.Int[1, 20], Gen.Int[1, 4], Gen.Bool).SampleAsync(async (lengths, blockSize, rows, shuffled) =>
        {
            using var files = new TextFiles();
            // A document of n lines, each one letter and the end of the sentence; only the first line is b.
            var text = string.Concat(lengths.Select(lines => "b\n" + string.Concat(Enumerable.Repeat("a\n", lines - 1)) + "\n"));
            var options = new PipelineOptions
            {
                Sources = [files.Write("text", text)],
                Tokenizer = "",
                BlockSize = blockSize,
                Rows = rows,
                ValidationFraction = 0,
                DocumentMask = true,
                Shuffle = shuffled ? new() { Documents = 7 } : null,
            };
            var begin = TestTokenizer.Instance.PieceToId("b");
            foreach (var batch in await streams.Take(options))
            {
                var expected = Enumerable.Range(0, batch.Tokens.Length).Where(index => index % blockSize == 0 || batch.Tokens[index] == begin);
                Assert.Equal(expected, batch.DocumentStarts);
            }
            Assert.All(await streams.Take(options with { DocumentMask = false }), batch => Assert.Null(batch.DocumentStarts));
        }, iter: 100, threads: 2);
    }

    [Fact]
    public async Task Parts_of_a_document_are_one()
    {
        var options = new PipelineOptions
        {
            Sources = [_files.Write("text", string.Concat(Enumerable.Repeat("a" + new string(' ', 998) + "\n", 2_500)))],
            Tokenizer = "",
            BlockSize = 97,
            Rows = 1,
            ValidationFraction = 0,
            DocumentMask = true,
        };
        var batches = await streams.Take(options);
        Assert.InRange(batches.Count, 51, 52); // 2,500 lines of two tokens, some of the third part
        Assert.All(batches, batch => Assert.Equal(new[] { 0 }, batch.DocumentStarts));
    }
}
