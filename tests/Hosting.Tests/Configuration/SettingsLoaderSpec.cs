using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Tests.Configuration;

public sealed class SettingsLoaderSpec : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("settings-");

    [Fact]
    public void The_built_in_configuration_is_valid_and_its_inputs_lie_beside_the_program()
    {
        var settings = SettingsLoader.Load(null, [], _ => null);
        Assert.Equal(Path.Combine(AppContext.BaseDirectory, "samples/tokenizer.model"), settings.Get(Keys.Tokenizer));
        Assert.Equal(Path.GetFullPath("runs/sample"), settings.Get(Keys.RunDirectory));
    }

    [Fact]
    public void Set_is_above_the_file_and_the_file_above_the_reference()
    {
        var settings = Load("streaming.training { max-steps = 7, seed = 8 }", "training.seed=9");
        Assert.Equal(7, settings.Get(Keys.MaxSteps));
        Assert.Equal(9, settings.Get(Keys.Seed));
        Assert.Equal("reference.conf", settings.OriginOf(Keys.LearningRate).Source);
        Assert.EndsWith("config.hocon:1", settings.OriginOf(Keys.MaxSteps).ToString());
        Assert.Equal("--set", settings.OriginOf(Keys.Seed).ToString());
    }

    [Fact]
    public void The_environment_fills_an_optional_substitution()
    {
        File.WriteAllText(ConfigPath, "streaming.training.learning-rate = ${?RATE}\nstreaming.training.seed = ${?SEED}");
        var settings = SettingsLoader.Load(ConfigPath, [], name => name == "RATE" ? "0.5" : null);
        Assert.Equal(0.5, settings.Get(Keys.LearningRate));
        Assert.Equal(42, settings.Get(Keys.Seed));
        Assert.StartsWith("environment RATE, ", settings.OriginOf(Keys.LearningRate).ToString());
    }

    [Fact]
    public void Paths_start_at_the_file_that_names_them_and_those_of_the_command_line_where_it_was_typed()
    {
        var settings = Load("streaming.data { tokenizer = t.model, sources = [\"data/*.xz\", \"-\", /x.txt] }", "run.directory=runs/x");
        Assert.Equal(Path.Combine(_folder.FullName, "t.model"), settings.Get(Keys.Tokenizer));
        Assert.Equal([Path.Combine(_folder.FullName, "data/*.xz"), "-", "/x.txt"], Assert.Single(settings.Get(Keys.Sources)).Paths);
        Assert.Equal(Path.GetFullPath("runs/x"), settings.Get(Keys.RunDirectory));
    }

    [Fact]
    public void An_included_file_brings_its_own_folder()
    {
        Directory.CreateDirectory(Path.Combine(_folder.FullName, "shared"));
        File.WriteAllText(Path.Combine(_folder.FullName, "shared/data.conf"), "streaming.data.tokenizer = t.model");
        var settings = Load("include \"shared/data.conf\"\nstreaming.training.seed = 1");
        Assert.Equal(Path.Combine(_folder.FullName, "shared/t.model"), settings.Get(Keys.Tokenizer));
    }

    [Theory]
    [InlineData("training.max-steps=1e3", 1000)]
    [InlineData("streaming.training.max-steps=12", 12)]
    [InlineData("training.max-steps=\"5\"", 5)]
    [InlineData("training.max-steps = 5.0 ", 5)]
    public void An_integer_may_be_written_in_any_exact_way(string assignment, long expected)
        => Assert.Equal(expected, Load("", assignment).Get(Keys.MaxSteps));

    [Theory]
    [InlineData("run.shutdown-timeout=90s", 90)]
    [InlineData("run.shutdown-timeout=1500ms", 1.5)]
    [InlineData("run.shutdown-timeout=2 minutes", 120)]
    public void A_time_has_its_unit(string assignment, double seconds)
        => Assert.Equal(TimeSpan.FromSeconds(seconds), Load("", assignment).Get(Keys.ShutdownTimeout));

    [Fact]
    public void A_single_source_on_the_command_line_needs_no_brackets_and_text_no_quotes()
    {
        var settings = Load("", "data.sources=/a b#c.txt", "sample.prompt=吾輩は、#猫=である");
        Assert.Equal(["/a b#c.txt"], Assert.Single(settings.Get(Keys.Sources)).Paths);
        Assert.Equal("吾輩は、#猫=である", settings.Get(Keys.SamplePrompt));
        Assert.Equal(["/a", "/b"], Assert.Single(Load("", "data.sources=[/a, \"/b\"]").Get(Keys.Sources)).Paths);
    }

    [Theory]
    [InlineData("block-size = 0", "streaming.data.block-size must be an integer from 2 to 1048576 (tokens), was 0 (FILE:1).")]
    [InlineData("block-size = many", "streaming.data.block-size must be an integer from 2 to 1048576 (tokens), was many (FILE:1).")]
    [InlineData("block-size = 2.5", "streaming.data.block-size must be an integer from 2 to 1048576 (tokens), was 2.5 (FILE:1).")]
    [InlineData("block-size = null", "streaming.data.block-size must be an integer from 2 to 1048576 (tokens), was null (FILE:1).")]
    [InlineData("block-size { a = 1 }", "streaming.data.block-size must be an integer from 2 to 1048576 (tokens), was {a = 1} (FILE:1).")]
    [InlineData("block-size = 99999999999999999999999999999999999", "streaming.data.block-size must be an integer from 2 to 1048576 (tokens), was 99999999999999999999999999999999999 (FILE:1).")]
    [InlineData("validation-fraction = 1", "streaming.data.validation-fraction must be a number from 0 to below 1 (share), was 1 (FILE:1).")]
    [InlineData("validation-fraction = NaN", "streaming.data.validation-fraction must be a number from 0 to below 1 (share), was NaN (FILE:1).")]
    [InlineData("normalize = maybe", "streaming.data.normalize must be true or false, was maybe (FILE:1).")]
    [InlineData("sources = []", "streaming.data.sources must be a list of files, folders, globs, URLs, \"-\" or sources {name = …, path = …}, at least one, was [] (FILE:1).")]
    [InlineData("tokenizer = \"\"", "streaming.data.tokenizer must be a path, was \"\" (FILE:1).")]
    [InlineData("block-sise = 4", "streaming.data.block-sise is no key; the nearest is streaming.data.block-size (FILE:1).")]
    [InlineData("block_size = 4", "streaming.data.block_size is no key; the nearest is streaming.data.block-size (FILE:1).")]
    [InlineData("size = 4", "streaming.data.size is no key; the nearest is streaming.data.block-size (FILE:1).")]
    [InlineData("append = true", "streaming.data.append is no key; the nearest is streaming.data.append-end-of-sentence (FILE:1).")]
    [InlineData("seed = 4", "streaming.data.seed is no key; the nearest is streaming.training.seed (FILE:1).")]
    [InlineData("trainning { seed = 4 }", "streaming.data.trainning is no section; the nearest is streaming.training (FILE:1).")]
    public void A_wrong_key_or_value_is_named_with_what_is_allowed_and_its_place(string line, string expected)
        => Assert.Equal([expected.Replace("FILE", ConfigPath)], Refused($"streaming.data {{ {line} }}"));

    [Fact]
    public void Everything_that_is_wrong_is_said_at_once()
    {
        var sentences = Refused("streaming { data.block-size = -1\n training.seeed = 1\n model = 5 }\nstreamin.x = 1", "training.max-steps=x", "noequals");
        Assert.Equal(6, sentences.Count);
        Assert.Contains("--set noequals: '=' is missing; write --set key=value.", sentences);
        Assert.Contains("streaming.training.max-steps must be an integer, 1 or more (steps), was x (--set).", sentences);
        Assert.Contains($"streaming.model must be a section, streaming.model {{ … }}, was 5 ({ConfigPath}:3).", sentences);
    }

    [Fact]
    public void A_missing_brace_is_refused()
        => Assert.Equal([$"{ConfigPath}:1: the '{{' of 'streaming' is never closed: a '}}' is missing before the end of the file."],
            Refused("streaming {\n training {\n seed = 1\n}\n"));

    [Fact]
    public void A_missing_file_is_named()
        => Assert.Equal([$"--config: {ConfigPath} does not exist."],
            Assert.Throws<UserErrorException>(() => SettingsLoader.Load(ConfigPath, [], _ => null)).Sentences);

    [Fact]
    public void The_akka_section_is_left_alone()
        => Assert.Equal("{loglevel = DEBUG, actor = {x = 1}}", Streaming.Hosting.Configuration.Hocon.HoconWriter.Write(Load("akka { loglevel = DEBUG, actor.x = 1 }").Akka));

    public void Dispose() => _folder.Delete(recursive: true);

    private string ConfigPath => Path.Combine(_folder.FullName, "config.hocon");

    private Settings Load(string text, params string[] assignments)
    {
        File.WriteAllText(ConfigPath, text);
        return SettingsLoader.Load(ConfigPath, [.. assignments.Select(a => new Assignment(a))], _ => null);
    }

    private IReadOnlyList<string> Refused(string text, params string[] assignments)
        => Assert.Throws<UserErrorException>(() => Load(text, assignments)).Sentences;
}
