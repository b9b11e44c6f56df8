using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Tests.Commands;

public sealed class ConfigCommandSpec
{
    [Fact]
    public void What_it_prints_is_a_configuration_with_the_same_values()
    {
        var settings = SettingsLoader.Load(null, [new Assignment("sample.prompt=\"a \\\"b\\\" \\\\ 日\""), new Assignment("data.sources=[a, \"-\", \"b c\"]")], _ => null);
        var file = Path.GetTempFileName();
        File.WriteAllText(file, ConfigCommand.Print(settings));
        var again = SettingsLoader.Load(file, [], _ => null);
        File.Delete(file);
        foreach (var key in Keys.All)
            Assert.Equal(settings.Write(key), again.Write(key));
        Assert.Equal("a \"b\" \\ 日", again.Get(Keys.SamplePrompt));
    }

    [Fact]
    public void Every_value_says_where_it_comes_from()
    {
        var lines = ConfigCommand.Print(SettingsLoader.Load(null, [new Assignment("training.seed=1")], _ => null)).TrimEnd().Split('\n');
        Assert.True(lines.Length > Keys.All.Count);
        Assert.All(lines, line => Assert.Matches(@"^(streaming|akka)\.\S+ = .+  # (reference\.conf:\d+|--set)$", line));
        Assert.Contains(lines, line => line.StartsWith("streaming.training.seed = 1 ", StringComparison.Ordinal) && line.EndsWith("# --set", StringComparison.Ordinal));
    }
}
