using System.Text;
using System.Text.Json;
using CsCheck;
using Streaming.Streams.Compression;
using Streaming.Streams.Records;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Records;

public sealed class JsonRecordReaderSpec : IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("""{"text":"吾輩は猫である"}""", "吾輩は猫である")]
    [InlineData("""{"id":1,"meta":{"text":"no"},"text":"yes","more":[{"text":"no"}]}""", "yes")]
    [InlineData("""  {"text":"a\"b\\c\/d\te\b\f"}  """, "a\"b\\c/d\te\b\f")]
    [InlineData("""{"text":"\u543e\u8F29 \uD83D\uDE00"}""", "吾輩 😀")]
    [InlineData("""{"text":"\uD83D \uDE00 \uD83D\u0041 \uD83D"}""", "\uFFFD \uFFFD \uFFFDA \uFFFD")]
    [InlineData("""{"text":"one\n\ntwo\r\nthree\n"}""", "one\ntwo\nthree")]
    [InlineData("""{"te\u0078t":"escaped name"}""", "escaped name")]
    [InlineData("""{"text":"first","text":"last"}""", "last")]
    [InlineData("""{"text":"first","n":1e400,"d":-0.5,"b":[true,false,null]}""", "first")]
    public void A_text_field_is_a_document(string line, string text) => Assert.Equal([text], Texts(line, "text"));

    [Theory]
    [InlineData("a.b", """{"a":{"b":"nested"}}""", "nested")]
    [InlineData("a.b", """{"a.b":"by its whole name"}""", "by its whole name")]
    [InlineData("a.b.c", """{"a":{"b.c":"half and half"}}""", "half and half")]
    [InlineData("a.b", """{"a":{"x":{"b":"no"},"b":"yes"},"b":"no"}""", "yes")]
    public void A_path_leads_into_objects(string field, string line, string text) => Assert.Equal([text], Texts(line, field));

    [Theory]
    [InlineData("""{"text":"cut""", "not valid JSON")]
    [InlineData("""{"text":"a"} {"text":"b"}""", "not valid JSON")]
    [InlineData("""{"text":"a",}""", "not valid JSON")]
    [InlineData("""{"text":"a\x"}""", "not valid JSON")]
    [InlineData("{'text':'a'}", "not valid JSON")]
    [InlineData("plain text", "not valid JSON")]
    [InlineData("""["text"]""", "no JSON object")]
    [InlineData("""{"title":"a"}""", "no field text")]
    [InlineData("""{"text":null}""", "is no text")]
    [InlineData("""{"text":["a"]}""", "is no text")]
    [InlineData("""{"text":{"text":"a"}}""", "is no text")]
    [InlineData("""{"text":5}""", "is no text")]
    public void A_line_that_cannot_be_used_is_counted_and_passed_over(string line, string problem)
    {
        var path = _files.Write("a.jsonl", $"{{\"text\":\"before\"}}\n{line}\n{{\"text\":\"after\"}}\n");
        var (documents, reader) = RecordReading.Read(new JsonLinesFormat("text"), path);
        Assert.Equal(["before", "after"], documents.Select(document => document.Text));
        Assert.Equal(1, reader.RejectedRecords);
        Assert.StartsWith($"{path}, line 2: ", reader.FirstRejection);
        Assert.Contains(problem, reader.FirstRejection);
    }

    [Fact]
    public void Nesting_without_an_end_is_a_line_that_cannot_be_used()
    {
        var path = _files.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"a\":", 100_000)) + "\n{\"text\":\"after\"}");
        Assert.Equal(["after"], RecordReading.Texts(new JsonLinesFormat("text"), path));
    }

    [Fact]
    public void Blank_lines_marks_and_line_ends_do_not_matter()
    {
        var path = _files.Write("a.jsonl", [0xEF, 0xBB, 0xBF, .. "{\"text\":\"one\"}\r\n\n  \n{\"text\":\"\"}\n{\"text\":\"two\"}"u8]);
        var (documents, reader) = RecordReading.Read(new JsonLinesFormat("text"), path);
        Assert.Equal(["one", "two"], documents.Select(document => document.Text));
        Assert.Equal([0, 2], documents.Select(document => document.Place.Record));
        Assert.Equal(0, reader.RejectedRecords);
        Assert.Equal(5, reader.Position.Line);
    }

    [Fact]
    public void Invalid_bytes_become_replacement_characters()
    {
        var path = _files.Write("a.jsonl", [.. "{\"text\":\"a"u8, 0xFF, 0xE5, 0x90, .. "b\"}"u8]);
        var (documents, reader) = RecordReading.Read(new JsonLinesFormat("text"), path);
        Assert.Equal("a\uFFFD\uFFFDb", documents.Single().Text);
        Assert.Equal(3, reader.InvalidBytes);
    }

    [Fact]
    public void A_line_past_the_limit_is_passed_over()
    {
        var longest = new string('x', JsonLineCutter.LongestLine - 11);
        var path = _files.Write("a.jsonl", $"{{\"text\":\"{longest}\"}}\n{{\"text\":\"{longest}x\"}}\n{{\"text\":\"after\"}}");
        var (documents, reader) = RecordReading.Read(new JsonLinesFormat("text"), path);
        Assert.Equal([longest.Length, 5], documents.Select(document => document.Text.Length));
        Assert.Equal((1, 1), (reader.CutLines, reader.RejectedRecords));
        File.WriteAllText(path, new string('x', 3 * JsonLineCutter.LongestLine));
        Assert.Equal(1, RecordReading.Read(new JsonLinesFormat("text"), path).Reader.CutLines);
    }

    [Fact]
    public void A_file_without_a_single_text_is_a_mistake()
    {
        var path = _files.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"content\":\"a\"}\n", 1000)));
        var message = Assert.Throws<SourceException>(() => RecordReading.Texts(new JsonLinesFormat("text"), path)).Message;
        Assert.Contains("text-field", message);
        File.AppendAllText(path, "{\"text\":\"a\"}");
        Assert.Throws<SourceException>(() => RecordReading.Texts(new JsonLinesFormat("text"), path));
    }

    [Fact]
    public void Reading_goes_on_from_any_document() =>
        Gen.Select(Gen.OneOf(Gen.String, Gen.String[Gen.Char["あ猫\\\"\n\t/"], 0, 40]).Array[1, 30], Gen.Enum<CompressionFormat>(), Gen.Int[0, 100]).Sample((texts, format, cut) =>
        {
            var options = new JsonSerializerOptions { Encoder = cut % 2 == 0 ? System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping : null };
            var lines = texts.Select((text, index) => index % 7 == 3 ? "broken" : JsonSerializer.Serialize(new { id = 1, text }, options));
            var path = _files.Write("a.jsonl", Encoding.UTF8.GetBytes(string.Join('\n', lines)), format);
            var all = RecordReading.Read(new JsonLinesFormat("text"), path).Documents;
            var expected = texts.Where((_, index) => index % 7 != 3).Select(Lines).Where(text => text.Length > 0);
            Assert.Equal(expected, all.Select(document => document.Text));
            if (all.Count == 0)
                return;
            var from = cut % all.Count;
            Assert.Equal(all[from..], RecordReading.Read(new JsonLinesFormat("text"), path, all[from].Place).Documents);
        }, iter: 100, threads: 1);

    [Fact]
    public void The_tail_of_a_file_is_what_begins_in_it()
    {
        var path = _files.Write("a.jsonl", "{\"text\":\"one\"}\n\nbroken\r\n{\"text\":\"two\"}\n{\"text\":\"three\"}");
        RecordReading.AssertTails(new JsonLinesFormat("text"), path, Enumerable.Range(0, (int)new FileInfo(path).Length + 1).Select(place => (long)place));
    }

    /// <summary>What remains of a text: its lines that are not empty, lone surrogates replaced.</summary>
    private static string Lines(string text) =>
        string.Join('\n', Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).Split('\n').Select(line => line.EndsWith('\r') ? line[..^1] : line).Where(line => line.Length > 0));

    private List<string> Texts(string line, string field) => RecordReading.Texts(new JsonLinesFormat(field), _files.Write("a.jsonl", line + "\n"));
}
