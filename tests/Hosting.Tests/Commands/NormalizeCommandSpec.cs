using System.Text;
using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Text;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Commands;

public sealed class NormalizeCommandSpec
{
    [Fact]
    public void Every_reference_line_comes_out_as_the_reference_has_it()
    {
        var cases = File.ReadLines(ReferenceData.Path("normalization/neologdn-ssplit-cases.jsonl")).Select(l => JsonDocument.Parse(l).RootElement).ToList();
        var input = string.Join('\n', cases.Select(c => c.GetProperty("line").GetString())) + "\n";
        var objects = Run(input, NormalizeCommand.Objects());
        Assert.Equal(cases.Count, objects.Length);
        var sentences = new List<string>();
        for (var i = 0; i < cases.Count; i++)
        {
            var actual = JsonDocument.Parse(objects[i]).RootElement;
            Assert.Equal(cases[i].GetProperty("normalized").GetString(), actual.GetProperty("normalized").GetString());
            sentences.AddRange(cases[i].GetProperty("sentences").EnumerateArray().Select(s => s.GetString()!));
            Assert.Equal(cases[i].GetProperty("sentences").EnumerateArray().Select(s => s.GetString()), actual.GetProperty("sentences").EnumerateArray().Select(s => s.GetString()));
        }
        Assert.Equal(sentences, Run(input, NormalizeCommand.Sentences()));
    }

    [Fact]
    public void An_empty_line_has_an_object_and_no_sentence()
    {
        Assert.Equal("""{"normalized":"","sentences":[]}""", Assert.Single(Run("\n", NormalizeCommand.Objects())));
        Assert.Empty(Run("\n", NormalizeCommand.Sentences()));
    }

    [Fact]
    public void The_carriage_return_of_a_line_end_is_no_text()
        => Assert.Equal("""{"normalized":"a","sentences":["a"]}""", Assert.Single(Run("a\r\n", NormalizeCommand.Objects())));

    private static string[] Run(string input, LineFilter.Line line)
    {
        using var output = new MemoryStream();
        LineFilter.Run(new MemoryStream(Encoding.UTF8.GetBytes(input)), output, line);
        var text = Encoding.UTF8.GetString(output.ToArray());
        return text.Length == 0 ? [] : text.TrimEnd('\n').Split('\n');
    }
}
