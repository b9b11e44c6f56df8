using Streaming.Actors;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Terminal;
using Streaming.Streams.Cleaning;

namespace Streaming.Hosting.Tests.Commands;

public sealed class InspectCommandSpec
{
    private const string Page = "ホーム > 文学 > 猫\n吾輩は猫である。\u001b[31m名前はまだ無い。\n続きを読む\n";

    [Fact]
    public async Task Kept_and_dropped_lines_stand_side_by_side()
    {
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, Page, TestContext.Current.CancellationToken);
        var (code, output, _) = await Run("inspect", "--source", path, "--kind", "lines", "--cleaning", "web");
        File.Delete(path);
        Assert.Equal(ExitCodes.Done, code);
        var lines = output.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        Assert.Contains(["drop", "breadcrumb", "ホーム", ">", "文学", ">", "猫"], lines);
        Assert.Contains(["drop", "document-too-short", "吾輩は猫である。\uFFFD[31m名前はまだ無い。"], lines); // no escape reaches the terminal
        Assert.Contains(["read-more", "1", "5", "13.16", "%"], lines);
        Assert.DoesNotContain('\u001b', output);
    }

    [Fact]
    public async Task Instructions_are_shown_as_they_are_trained_on_and_counted_by_what_became_of_them()
    {
        var path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, """
            [{"instruction": "色は？", "input": "", "output": "赤", "category": "open_qa"}, {"instruction": "a"},
             {"instruction": "書け", "input": "<s>", "output": "ああああああああああああああああああああああああああああああああ"}]
            """, TestContext.Current.CancellationToken);
        string[] arguments = ["inspect", "--source", path, "--set", "data.format=instructions", "--set", "instructions.validation-fraction=0"];
        var (code, output, _) = await Run([.. arguments, "--set", "data.block-size=100"]);
        Assert.Equal(ExitCodes.Done, code);
        Assert.Contains("prompt   <s>以下は、タスクを説明する指示です。", output);
        Assert.Contains("answer   赤</s>\n", output);
        Assert.Contains("入力: <s> [SEP] 応答:", output); // what a record spells is text
        Assert.Contains("cut to a block of 100", output);
        var lines = output.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        Assert.Contains(["dropped", "unreadable-record", "1"], lines);
        Assert.Contains(lines, line => line is ["trained", "on", "2", ..]);
        Assert.Contains($"the first record that cannot be read is {path}, record 2: it has no field output", output);

        (_, output, _) = await Run([.. arguments, "--set", "data.block-size=16", "--limit", "1"]);
        Assert.Contains("record 1: 59 tokens, 57 before its answer; left out: a block has 16", output);
        Assert.DoesNotContain("record 3:", output);
        Assert.Contains(["dropped", "longer-than-block", "2"], output.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)));
        Assert.Equal(ExitCodes.WrongUsage, (await Run([.. arguments, "--cleaning", "web"])).Code);
        File.Delete(path);
    }

    [Fact]
    public async Task A_source_that_is_none_is_one_sentence()
    {
        var (code, _, errors) = await Run("inspect", "--source", "nowhere");
        Assert.Equal(ExitCodes.WrongUsage, code);
        Assert.StartsWith("streaming: --source: nowhere is neither a file nor a configured source; those are ", errors);
        Assert.Equal(ExitCodes.WrongUsage, (await Run("inspect", "--source", "text", "--limit", "0")).Code);
    }

    [Fact]
    public void A_terminal_gets_colours_and_lines_that_fit()
    {
        using var output = new StringWriter();
        new InspectionReport(output, columns: 45, hasColor: true).Write(new InspectedDocument("f", 0, CleaningReason.None, [new("吾輩は猫である。", CleaningReason.None), new("続きを読む", CleaningReason.ReadMore)]));
        Assert.Contains("\u001b[32mkeep" + new string(' ', 26) + "\u001b[0m 吾輩は猫であ…", output.ToString());
        Assert.Contains("\u001b[31mdrop read-more", output.ToString());
    }

    private static async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var code = await CommandLine.RunAsync(Root.Create(), arguments, output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
