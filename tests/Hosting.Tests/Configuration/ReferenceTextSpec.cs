using Streaming.Hosting.Configuration;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Configuration;

public sealed class ReferenceTextSpec
{
    private const string Update = "UPDATE_REFERENCE";

    /// <summary>The two files are written from the table: UPDATE_REFERENCE=1 dotnet test tests/Hosting.Tests writes them anew.</summary>
    [Theory]
    [InlineData("src/Hosting/reference.conf")]
    [InlineData("config.hocon")]
    public void The_files_say_what_the_table_of_keys_says(string file)
    {
        var path = Path.Combine(ReferenceData.RepositoryRoot, file);
        var expected = file == "config.hocon" ? ReferenceText.UserTemplate() : ReferenceText.Reference();
        if (Environment.GetEnvironmentVariable(Update) == "1")
            File.WriteAllText(path, expected);
        Assert.True(File.ReadAllText(path) == expected, $"{file} differs from the table of keys; {Update}=1 writes it anew");
    }

    [Fact]
    public void Every_key_is_described_with_its_range_and_default()
    {
        var text = ReferenceText.Reference();
        foreach (var key in Keys.All)
        {
            Assert.NotEmpty(key.Description);
            Assert.EndsWith(".", key.Description);
            Assert.Contains($"{key.Path.Split('.')[^1]} = {key.Default}\n", text);
        }
    }

    [Fact]
    public void The_template_for_users_changes_nothing()
    {
        var builtIn = SettingsLoader.Load(null, [], _ => null);
        var template = SettingsLoader.Load(Path.Combine(ReferenceData.RepositoryRoot, "config.hocon"), [], _ => null);
        foreach (var key in Keys.All.Where(k => k is not Key<string> and not Key<IReadOnlyList<SourceEntry>>))
            Assert.Equal(builtIn.Write(key), template.Write(key));
    }
}
