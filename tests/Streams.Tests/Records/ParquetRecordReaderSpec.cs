using CsCheck;
using ParquetSharp;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;
using Streaming.Streams.Sources.Http;
using Streaming.Streams.Tests.Sources.Http;
using Codec = ParquetSharp.Compression;

namespace Streaming.Streams.Tests.Records;

public sealed class ParquetRecordReaderSpec : IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData(Codec.Uncompressed)]
    [InlineData(Codec.Snappy)]
    [InlineData(Codec.Gzip)]
    [InlineData(Codec.Zstd)]
    [InlineData(Codec.Brotli)]
    [InlineData(Codec.Lz4)]
    public void Rows_are_documents_whatever_the_compression(Codec compression)
    {
        var path = Write(["吾輩は\n\n猫である", null, "", "😀"], 3, compression);
        var (documents, reader) = RecordReading.Read(new ParquetFormat("text"), path);
        Assert.Equal(["吾輩は\n猫である", "😀"], documents.Select(document => document.Text));
        Assert.Equal([0, 3], documents.Select(document => document.Place.Record));
        Assert.Equal((1, 4), (reader.RejectedRecords, reader.Position.Record));
        Assert.Contains("row 2", reader.FirstRejection);
    }

    [Fact]
    public void Reading_goes_on_from_any_row() =>
        Gen.Select(Gen.Int[0, 700], Gen.Int[1, 300], Gen.Int[0, 999], Gen.Bool).Sample((rows, rowsAGroup, cut, repeats) =>
        {
            // Few distinct texts are stored in a dictionary.
            var texts = Enumerable.Range(0, rows).Select(row => row % 5 == 2 ? null : $"text {(repeats ? row % 3 : row)}").ToArray();
            var path = Write(texts, rowsAGroup);
            var all = RecordReading.Read(new ParquetFormat("text"), path).Documents;
            Assert.Equal(texts.Where(text => text is not null), all.Select(document => document.Text));
            if (all.Count == 0)
                return;
            var from = cut % all.Count;
            Assert.Equal(all[from..], RecordReading.Read(new ParquetFormat("text"), path, all[from].Place).Documents);
        }, iter: 25, threads: 1);

    [Fact]
    public void The_tail_of_a_file_is_what_begins_in_it()
    {
        var path = Write([.. Enumerable.Range(0, 100).Select(row => row % 9 == 0 ? null : $"text {row}")], 30);
        var format = new ParquetFormat("text");
        var length = format.LengthOf(new SourceFile(path, 1))!.Value;
        RecordReading.AssertTails(format, path, Enumerable.Range(0, 40).Select(part => length * part / 39));
        Assert.Equal(0, new ParquetFormat("text").LengthOf(new SourceFile(Write([], 1), 1)));
    }

    [Fact]
    public void Nested_and_required_columns_are_named_by_their_path()
    {
        var path = Path.Combine(_files.Folder, "nested.parquet");
        using (var node = new ParquetSharp.Schema.PrimitiveNode("body", Repetition.Required, LogicalType.String(), PhysicalType.ByteArray))
        using (var number = new ParquetSharp.Schema.PrimitiveNode("number", Repetition.Required, LogicalType.None(), PhysicalType.Int32))
        using (var page = new ParquetSharp.Schema.GroupNode("page", Repetition.Optional, [node]))
        using (var schema = new ParquetSharp.Schema.GroupNode("schema", Repetition.Required, [page, number]))
        using (var properties = WriterProperties.GetDefaultWriterProperties())
        using (var writer = new ParquetFileWriter(path, schema, properties))
        {
            using var group = writer.AppendRowGroup();
            using (var column = (ColumnWriter<ByteArray>)group.NextColumn())
                unsafe
                {
                    fixed (byte* text = "inside"u8)
                        column.WriteBatch(3, [1, 0, 1], null, [new ByteArray((nint)text, 6), new ByteArray((nint)text, 2)]);
                }
            using (var column = (ColumnWriter<int>)group.NextColumn())
                column.WriteBatch([1, 2, 3]);
            writer.Close();
        }
        Assert.Equal(["inside", "in"], RecordReading.Texts(new ParquetFormat("page.body"), path));
        Assert.Contains("holds no text", Assert.Throws<SourceException>(() => RecordReading.Texts(new ParquetFormat("number"), path)).Message);
        Assert.Contains("name page.body in text-field", Assert.Throws<SourceException>(() => RecordReading.Texts(new ParquetFormat("text"), path)).Message);
    }

    [Theory]
    [InlineData("PAR1", "(Invalid: Parquet file size is 4 bytes, smaller than the minimum file footer (8 bytes)); replace")]
    [InlineData("no Parquet at all, and long enough for its footer", "(Invalid: Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file); replace")]
    public void Damage_is_told_without_the_names_of_the_librarys_classes(string content, string part) =>
        Assert.Contains($"the Parquet data are damaged {part}", Assert.Throws<SourceException>(
            () => RecordReading.Texts(new ParquetFormat("text"), _files.Write("damaged.parquet", content))).Message);

    [Fact]
    public void Parquet_is_read_over_http()
    {
        var texts = Enumerable.Range(0, 5000).Select(row => $"text {row}").ToArray();
        using var server = new HostileServer(File.ReadAllBytes(Write(texts, 1000)), (number, _) => new Answer { DropAfter = number % 2 == 0 ? 9000 : int.MaxValue });
        var file = SourceFile.Ask(server.Address, new HttpOptions { FirstDelay = TimeSpan.FromMilliseconds(1) }, TestContext.Current.CancellationToken);
        using var reader = new ParquetFormat("text").Open(file, default, TestContext.Current.CancellationToken);
        var batch = new Streaming.Streams.Text.LineBatch();
        while (reader.Read(batch)) { }
        Assert.Equal(texts, Enumerable.Range(0, batch.Lines.Count).Select(line => batch.Lines[line].ToString()));
    }

    [Fact]
    public void A_server_that_is_gone_is_named_and_not_called_damage()
    {
        var texts = Enumerable.Range(0, 5000).Select(row => $"text {row * 7919}").ToArray();
        var isGone = false;
        using var server = new HostileServer(File.ReadAllBytes(Write(texts, 1000)), (_, _) => new Answer { Status = isGone ? 404 : 200 });
        var file = SourceFile.Ask(server.Address, HttpOptions.Default, TestContext.Current.CancellationToken);
        using var reader = new ParquetFormat("text").Open(file, default, TestContext.Current.CancellationToken);
        isGone = true;
        var batch = new Streaming.Streams.Text.LineBatch();
        Assert.Contains("404", Assert.Throws<SourceException>(() => { while (reader.Read(batch)) { } }).Message);
    }

    [Fact]
    public void A_damaged_file_is_one_sentence_or_the_text_unharmed()
    {
        var path = Write([.. Enumerable.Range(0, 300).Select(row => $"text {row * 7919}")], 100, Codec.Snappy);
        var whole = File.ReadAllBytes(path);
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Int[0, 7], Gen.Int[0, 5]).Sample((place, bit, kind) =>
        {
            var damaged = (byte[])whole.Clone();
            damaged[place] ^= (byte)(1 << bit);
            AssertTextOrSentence(path, kind == 0 ? whole[..place] : damaged);
        }, iter: 200, threads: 1);
        // The lowest bit of a number in the metadata is its sign.
        for (var place = whole.Length - 8 - BitConverter.ToInt32(whole, whole.Length - 8); place < whole.Length; place++)
        {
            var damaged = (byte[])whole.Clone();
            damaged[place] ^= 1;
            AssertTextOrSentence(path, damaged);
        }
    }

    private static void AssertTextOrSentence(string path, byte[] bytes)
    {
        File.WriteAllBytes(path, bytes);
        try
        {
            RecordReading.Texts(new ParquetFormat("text"), path);
        }
        catch (InvalidDataException exception)
        {
            Assert.DoesNotContain("\n", SourceText.Unreadable(new SourceFile(path, 1), default, exception).Message);
        }
        catch (SourceException exception)
        {
            Assert.Contains(path, exception.Message);
        }
    }

    private string Write(string?[] texts, int rowsAGroup, Codec compression = Codec.Snappy)
    {
        var path = Path.Combine(_files.Folder, "a.parquet");
        using var writer = new ParquetFileWriter(path, [new Column<int>("id"), new Column<string?>("text")], compression);
        foreach (var rows in texts.Chunk(rowsAGroup))
        {
            using var group = writer.AppendRowGroup();
            using (var column = group.NextColumn().LogicalWriter<int>())
                column.WriteBatch(new int[rows.Length]);
            using (var column = group.NextColumn().LogicalWriter<string?>())
                column.WriteBatch(rows);
        }
        writer.Close();
        return path;
    }
}
