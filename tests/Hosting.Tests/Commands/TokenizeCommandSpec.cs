using System.Text;
using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Text;
using Streaming.Streams.Tokenization;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Commands;

public sealed class TokenizeCommandSpec
{
    private static string SampleModel => Path.Combine(AppContext.BaseDirectory, "samples", "tokenizer.model");

    [Fact]
    public void Every_reference_text_becomes_the_ids_of_spm_encode()
    {
        var tokenizer = TextTokenizer.Load(ReferenceData.Path("tokenizer/spm-ja-50k.model"));
        var cases = File.ReadLines(ReferenceData.Path("tokenizer/spm-ja-50k-cases.jsonl")).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        var input = string.Concat(cases.Select(c => c.GetProperty("text").GetString() + "\n"));
        var expected = string.Concat(cases.Select(c => string.Join(' ', c.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())) + "\n"));
        Assert.Equal(expected, Run(input, TokenizeCommand.Encode(tokenizer)));
    }

    [Fact]
    public void Ids_become_the_text_they_came_from()
    {
        var tokenizer = TextTokenizer.Load(SampleModel);
        const string Text = "日本の春は、川の土手に咲く。\n\n𠮷野家で🍣を食べる\n";
        Assert.Equal(Text, Run(Run(Text, TokenizeCommand.Encode(tokenizer)), TokenizeCommand.Decode(tokenizer)));
    }

    [Theory]
    [InlineData("5 6\n7 x", "line 2 of standard input: 'x' is no id of this tokenizer, which has 0 to 1999.")]
    [InlineData("2000", "line 1 of standard input: '2000' is no id of this tokenizer, which has 0 to 1999.")]
    [InlineData("-1", "line 1 of standard input: '-1' is no id of this tokenizer, which has 0 to 1999.")]
    public void What_is_no_id_is_named_with_its_line(string input, string expected)
    {
        var mistake = Assert.Throws<UserErrorException>(() => Run(input, TokenizeCommand.Decode(TextTokenizer.Load(SampleModel))));
        Assert.Equal([expected], mistake.Sentences);
        Assert.Equal(1, mistake.ExitCode);
    }

    [Fact]
    public void A_file_that_is_no_model_is_one_sentence()
    {
        var mistake = Assert.Throws<UserErrorException>(() => TokenizeCommand.Load(Path.Combine(AppContext.BaseDirectory, "samples", "corpus-ja.txt")));
        Assert.StartsWith("--tokenizer: ", Assert.Single(mistake.Sentences));
        Assert.Equal(2, Assert.Throws<UserErrorException>(() => TokenizeCommand.Load("/nowhere/x.model")).ExitCode);
    }

    private static string Run(string input, LineFilter.Line line)
    {
        using var output = new MemoryStream();
        LineFilter.Run(new MemoryStream(Encoding.UTF8.GetBytes(input)), output, line);
        return Encoding.UTF8.GetString(output.ToArray());
    }
}
