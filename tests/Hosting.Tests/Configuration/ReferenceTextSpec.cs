using System.Text.RegularExpressions;
using Streaming.Hosting.Configuration;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Configuration;

public sealed partial class ReferenceTextSpec
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
    public void Sentences_and_documents_name_keys_that_exist()
    {
        string[] known = [.. Keys.All.Select(key => key.Path[(Keys.Root.Length + 1)..])];
        var files = new[] { "src", "docs", "packaging", "grafana" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(ReferenceData.RepositoryRoot, folder), "*", SearchOption.AllDirectories))
            .Where(file => Path.GetExtension(file) is ".cs" or ".md" or ".conf" or ".yaml" && !file.Contains("/obj/") && !file.Contains("/bin/"));
        var unknown =
            from file in files
            from Match name in Name().Matches(File.ReadAllText(file))
            where !known.Any(key => key == name.Value || key.StartsWith(name.Value + '.', StringComparison.Ordinal))
            select $"{file}: {name.Value}";
        Assert.Empty(unknown);
    }

    /// <summary>A section that no namespace, variable or file is called like, and a key.</summary>
    [GeneratedRegex(@"(?<![\w./\\-])(data|training|run)\.(?!lock\b|sh\b)[a-z]+(-[a-z0-9]+)*(?![\w(])")]
    private static partial Regex Name();

    [Fact]
    public void The_template_for_users_changes_nothing()
    {
        var builtIn = SettingsLoader.Load(null, [], _ => null);
        var template = SettingsLoader.Load(Path.Combine(ReferenceData.RepositoryRoot, "config.hocon"), [], _ => null);
        foreach (var key in Keys.All.Where(k => k is not Key<string> and not Key<IReadOnlyList<SourceEntry>>))
            Assert.Equal(builtIn.Write(key), template.Write(key));
    }
}
