using System.Text;
using CsCheck;
using Streaming.Streams.Compression;
using Streaming.Streams.Documents;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Splitting;

public sealed class HeldOutTextSpec(StreamFixture streams) : IClassFixture<StreamFixture>, IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData(ValidationRule.Hash)]
    [InlineData(ValidationRule.Tail)]
    public void Every_document_is_on_one_side_as_a_whole(ValidationRule rule)
    {
        // Bytes of which many places fall into line ends and empty lines.
        var text = Gen.OneOf("", "", "a", "bb\r", "猫", "\r").Array[0, 40].Select(lines => string.Join('\n', lines));
        Gen.Select(text, Gen.Double[0, 0.999], Gen.Int[1, 60]).Sample((content, fraction, bytes) =>
        {
            var path = _files.Write("text", content);
            var all = Documents(path, rule, 0, Split.Train, bytes);
            var train = Documents(path, rule, fraction, Split.Train, bytes);
            var validation = Documents(path, rule, fraction, Split.Validation, bytes);
            if (rule == ValidationRule.Tail)
            {
                var place = new FileInfo(path).Length - (long)(new FileInfo(path).Length * fraction);
                Assert.All(train, document => Assert.True(document.Offset < place));
                Assert.All(validation, document => Assert.True(document.Offset >= place));
            }
            Assert.Equal(all, train.Concat(validation).OrderBy(document => document.Offset));
        }, iter: 2000, threads: 1);
    }

    [Theory]
    [InlineData(ValidationRule.Hash, 0.25)]
    [InlineData(ValidationRule.Tail, 0.05)]
    public async Task About_the_share_that_is_asked_for_is_held_out(ValidationRule rule, double fraction)
    {
        var text = string.Concat(Enumerable.Range(0, 4000).Select(i => $"{i}匹の猫。\n\n"));
        var options = Options(_files.Write("text", text)) with { ValidationRule = rule, ValidationFraction = fraction };
        double train = (await streams.Take(options)).Sum(batch => batch.Tokens.Length), held = (await streams.Take(options, Split.Validation)).Sum(batch => batch.Tokens.Length);
        // Of 4,000 documents the hash draws 1,000 with a deviation of 27; it is fixed, so the bounds never fail by chance.
        Assert.InRange(held / (train + held), fraction * 0.9, fraction * 1.1);
    }

    [Theory]
    [InlineData(ValidationRule.Hash)]
    [InlineData(ValidationRule.Tail)]
    public async Task Without_a_fraction_nothing_is_held_out(ValidationRule rule)
    {
        var options = Options(_files.Write("text", "猫と犬。\n\n犬と猫。\n")) with { ValidationRule = rule, ValidationFraction = 0 };
        Assert.NotEmpty(await streams.Take(options));
        Assert.Empty(await streams.Take(options, Split.Validation));
    }

    [Fact]
    public void Parts_of_a_long_document_have_the_side_of_its_first_line()
    {
        var first = "0" + new string('x', 1100);
        var lines = Enumerable.Repeat(first + "\n", 2600); // 2.7 MiB
        var path = _files.Write("long", string.Concat(lines) + "\nshort\n");
        var documents = Documents(path, ValidationRule.Hash, 0, Split.Train, 1 << 16);
        Assert.Equal([(0, 0), (0, 1), (0, 2), (1, 0)], documents.Select(document => ((int)document.Record, document.Part)));
        Assert.All(documents[1..3], part => Assert.Equal(DocumentHash.Of(first), part.Hash));
    }

    [Fact]
    public void Text_without_empty_lines_is_many_documents()
    {
        var lines = Enumerable.Range(0, 2 * LineRecordReader.LongestPartLines + 1).Select(i => $"{i}\n");
        var path = _files.Write("long", string.Concat(lines));
        var documents = Documents(path, ValidationRule.Hash, 0, Split.Train, 1 << 16);
        Assert.Equal([0L, 1L, 2L], documents.Select(document => document.Record));
        Assert.All(documents, document => Assert.Equal(0, document.Part));
        path = _files.Write("longer", string.Concat(Enumerable.Repeat(new string('x', 1 << 16) + "\n", 17 * LineRecordReader.MostParts)));
        Assert.Equal(2, Documents(path, ValidationRule.Hash, 0, Split.Train, 1 << 16).Count(document => document.Part == 0));
    }

    [Theory]
    [InlineData(CompressionFormat.Plain)]
    [InlineData(CompressionFormat.Xz)]
    [InlineData(CompressionFormat.Zstandard)]
    [InlineData(CompressionFormat.Gzip)]
    [InlineData(CompressionFormat.Bzip2)]
    public void The_length_of_the_text_is_told_where_the_format_knows_it(CompressionFormat format)
    {
        foreach (var size in new[] { 1, 200, 300, 70_000, 3_000_000 })
        {
            var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, size).Select(i => (char)('a' + i * i % 26))));
            using var zstandard = new ZstdSharp.Compressor();
            // The program writes the length; a stream, whose end it does not know, leaves it out.
            var path = format == CompressionFormat.Zstandard
                ? _files.Write($"{format}{size}", zstandard.Wrap(text).ToArray())
                : _files.Write($"{format}{size}", text, format);
            var known = format is CompressionFormat.Plain or CompressionFormat.Xz or CompressionFormat.Zstandard;
            Assert.Equal(known ? size : (long?)null, TextLength.Of(new SourceFile(path, new FileInfo(path).Length)));
            if (known && size > 0)
            {
                // Archives one after the other are one text.
                File.AppendAllBytes(path, File.ReadAllBytes(path));
                Assert.Equal(2 * size, TextLength.Of(new SourceFile(path, new FileInfo(path).Length)));
            }
        }
        if (format == CompressionFormat.Zstandard)
            Assert.Null(TextLength.Of(new SourceFile(_files.Write("streamed", "text"u8.ToArray(), format), 1)));
    }

    [Fact]
    public void A_tail_of_unknown_length_is_refused_with_the_file_and_the_remedy()
    {
        var options = Options(_files.Write("a.gz", "猫\n"u8.ToArray(), CompressionFormat.Gzip)) with { ValidationRule = ValidationRule.Tail, ValidationFraction = 0.05 };
        var failure = Assert.Throws<SourceException>(() => TextPipeline.Batches(options, Split.Train, tokenizer: TestTokenizer.Instance));
        Assert.Contains("the last 5% of ", failure.Message);
        Assert.Contains("a.gz cannot be held out", failure.Message);
    }

    private static PipelineOptions Options(string path) => new() { Sources = [path], Tokenizer = "", BlockSize = 5, Rows = 1 };

    private static List<SourcePosition> Documents(string path, ValidationRule rule, double fraction, Split split, int batchBytes)
    {
        var options = Options(path) with { ValidationRule = rule, ValidationFraction = fraction, TextBatchBytes = batchBytes };
        var stages = new PipelineStages(options, split, null, null, TestTokenizer.Instance, new());
        var found = new List<SourcePosition>();
        foreach (var batch in stages.Sources[0].CreateReader().Read(TestContext.Current.CancellationToken))
        {
            foreach (var work in stages.Sources[0].CreatePreparation())
                work.Run(batch);
            stages.Sources[0].CreateAdmission().Run(batch);
            foreach (var document in batch.Documents)
            {
                if (!document.IsDropped)
                    found.Add(document.Position with { Line = 0, Record = rule == ValidationRule.Tail ? 0 : document.Position.Record });
            }
        }
        return found;
    }
}
