using System.Text;
using System.Text.Json;
using CsCheck;
using Streaming.Streams.Compression;
using Streaming.Streams.Instructions;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Instructions;

public sealed class InstructionReadingSpec : IDisposable
{
    private const string Good = """{"instruction": "要約せよ", "input": "話", "output": "答え", "category": "x", "index": "1"}""";

    private readonly TextFiles _files = new();
    private readonly List<string> _notices = [];

    public void Dispose() => _files.Dispose();

    [Fact]
    public void An_array_and_json_lines_hold_the_same_records_however_they_are_written()
    {
        var field = Gen.OneOf(Gen.String[Gen.Char['a', 'd'], 1, 9], Gen.OneOf("猫\n犬", "\"}],[{\"", "\\", "{instruction}", "😀 \t。"));
        var record = Gen.Select(field, Gen.OneOf(field, Gen.Const("")), field, (instruction, input, answer) => new InstructionRecord(instruction, input, answer));
        Gen.Select(record.Array[1, 30], Gen.Bool, Gen.Bool, Gen.Enum<CompressionFormat>()).Sample((records, indented, marked, compression) =>
        {
            using var files = new TextFiles();
            var options = new JsonSerializerOptions { WriteIndented = indented };
            var objects = records.Select(one => new { instruction = one.Instruction, input = one.Input, output = one.Answer }).ToArray();
            byte[] mark = marked ? [0xEF, 0xBB, 0xBF] : [];
            var array = files.Write("array.json", [.. mark, .. Encoding.UTF8.GetBytes(JsonSerializer.Serialize(objects, options))], compression);
            var lines = files.Write("lines.jsonl", [.. mark, .. Encoding.UTF8.GetBytes(string.Concat(objects.Select(one => JsonSerializer.Serialize(one) + "\r\n")))], compression);
            Assert.Equal(records, Read(array));
            Assert.Equal(records, Read(lines));
        }, iter: 60, threads: 2);
    }

    [Fact]
    public void An_input_may_be_missing_or_null()
    {
        var path = _files.Write("a.json", """[{"instruction": "a", "output": "b"}, {"instruction": "a", "input": null, "output": "b"}]""");
        Assert.Equal(Enumerable.Repeat(new InstructionRecord("a", "", "b"), 2), Read(path));
    }

    [Theory]
    [InlineData("""{"input": "話", "output": "答え"}""", "it has no field instruction")]
    [InlineData("""{"instruction": "要約せよ", "input": "話"}""", "it has no field output")]
    [InlineData("""{"instruction": "要約せよ", "output": 7}""", "its field output is no text")]
    [InlineData("""{"instruction": ["要約せよ"], "output": "a"}""", "its field instruction is no text")]
    [InlineData("""{"instruction": "要約せよ", "input": {}, "output": "a"}""", "its field input is no text")]
    [InlineData("""{"instruction": "要約せよ", "output": " \n"}""", "its field output is empty")]
    [InlineData("""{"instruction": "", "output": "a"}""", "its field instruction is empty")]
    [InlineData("""{"instruction": null, "output": "a"}""", "its field instruction is no text")]
    [InlineData("17", "it is no JSON object")]
    public void A_bad_record_is_named_with_file_and_record_and_passed_over(string bad, string problem)
    {
        var array = _files.Write("array.json", $"[{Good}, {bad}, {Good}]");
        Assert.Equal(2, Read(array).Count);
        Assert.StartsWith($"a record of source text is passed over: {array}, record 2: {problem}: ", Assert.Single(_notices));

        _notices.Clear();
        var lines = _files.Write("lines.jsonl", $"{Good}\n\n{bad}\n{Good}\n");
        Assert.Equal(2, Read(lines).Count);
        Assert.StartsWith($"a record of source text is passed over: {lines}, line 3: {problem}: ", Assert.Single(_notices));
    }

    [Fact]
    public void A_malformed_line_is_passed_over_and_named()
    {
        var lines = _files.Write("lines.jsonl", $"{Good}\n{Good[..^5]}\n{Good}\n");
        Assert.Equal(2, Read(lines).Count);
        Assert.Contains("lines.jsonl, line 2: it is not valid JSON (byte ", Assert.Single(_notices));
    }

    [Theory]
    [InlineData("[", "record 0|line 0", "byte 1")]
    [InlineData("[{}", "record 1", "byte 3: the text ends where ',' or ']' was expected")]
    [InlineData("[{} {}]", "record 1", "byte 4: ',' or ']' was expected")]
    [InlineData("[{}, ]", "record 1", "byte 5")]
    [InlineData("[{\"a\": }]", "line 0", "byte 7")]
    [InlineData("[{}] x", "record 1", "byte 5: nothing may follow the array")]
    public void A_malformed_array_is_refused_with_file_and_place(string text, string record, string place)
    {
        var path = _files.Write("a.json", text);
        var message = Assert.Throws<SourceException>(() => Read(path)).Message;
        Assert.StartsWith($"{path} cannot be read past ", message);
        Assert.Contains(record.Split('|'), part => message.Contains(part, StringComparison.Ordinal));
        Assert.Contains($"malformed JSON at {place}", message);
        Assert.DoesNotContain("\n", message);
    }

    [Theory]
    [InlineData("a.txt", "要約せよ\n", "holds neither a JSON array nor an object a line")]
    [InlineData("a.json", "\"text\"", "holds neither a JSON array nor an object a line")]
    public void What_holds_no_records_is_refused(string name, string text, string part) =>
        Assert.Contains(part, Assert.Throws<SourceException>(() => Read(_files.Write(name, text))).Message);

    [Fact]
    public void A_thousand_records_of_other_fields_are_a_mistake_in_the_configuration()
    {
        var path = _files.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"question\": \"a\"}\n", 1000)));
        Assert.Contains("name the fields in instructions.instruction-field", Assert.Throws<SourceException>(() => Read(path)).Message);
    }

    [Fact]
    public void Fields_may_have_other_names()
    {
        var path = _files.Write("a.jsonl", """{"q": {"text": "a"}, "context": "b", "response": "c"}""" + "\n");
        Assert.Equal(new InstructionRecord("a", "b", "c"), Assert.Single(Read(path, new() { InstructionField = "q.text", InputField = "context", OutputField = "response" })));
    }

    [Fact]
    public void The_held_out_tenth_does_not_depend_on_the_form_of_the_file()
    {
        var records = Enumerable.Range(0, 2000).Select(number => new { instruction = $"問い{number % 100}", input = $"文{number}", output = "答え" }).ToArray();
        var array = _files.Write("a.json", JsonSerializer.Serialize(records));
        var lines = _files.Write("a.jsonl", string.Concat(records.Select(one => JsonSerializer.Serialize(one) + "\n")));
        var heldOut = Read(array, fraction: 0.1, split: Split.Validation);
        Assert.InRange(heldOut.Count, 150, 250);
        Assert.Equal(heldOut, Read(lines, fraction: 0.1, split: Split.Validation));
        Assert.Empty(heldOut.Intersect(Read(array, fraction: 0.1, split: Split.Train)));
    }

    private IReadOnlyList<InstructionRecord> Read(string path, InstructionOptions? instructions = null, double fraction = 0, Split split = Split.Train) =>
        [.. InstructionRecord.Read(
            new()
            {
                Sources = [path],
                Tokenizer = "",
                BlockSize = 8,
                Rows = 1,
                ValidationFraction = fraction,
                Instructions = instructions ?? new(),
                OnNotice = _notices.Add,
            },
            split)];
}
