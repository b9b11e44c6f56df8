using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Streams;
using Streaming.Streams.Cleaning;

namespace Streaming.Hosting.Tests.Configuration;

public sealed class SourcesKindSpec
{
    [Fact]
    public void A_source_has_a_name_paths_and_what_it_says_of_its_own()
    {
        var sources = Build("""
            data.sources=[{name = cc100, path = /ja.txt.xz}, {name = ウィキ, path = [/a.xml.bz2, "https://h/b"], kind = wikipedia, weight = 0.5, epochs = 2}, {name = j, path = /j, kind = jsonl, text-field = body.text}]
            """, "data.epochs=7");
        Assert.Equal(["cc100", "ウィキ", "j"], sources.Select(source => source.Name));
        Assert.Equal(["/a.xml.bz2", "https://h/b"], sources[1].Paths);
        Assert.Equal([SourceKind.Auto, SourceKind.Wikipedia, SourceKind.JsonLines], sources.Select(source => source.Kind));
        Assert.Equal([1, 0.5, 1], sources.Select(source => source.Weight));
        Assert.Equal([7, 2, 7], sources.Select(source => source.Epochs));
        Assert.Equal(["text", "text", "body.text"], sources.Select(source => source.TextField));
    }

    [Fact]
    public void Paths_without_a_name_form_one_source_before_the_others()
    {
        var sources = Build("data.sources=[/a, {name = other, path = /b}, /c]");
        Assert.Equal(["text", "other"], sources.Select(source => source.Name));
        Assert.Equal(["/a", "/c"], sources[0].Paths);
    }

    [Fact]
    public void A_URL_stays_as_it_is_whatever_its_scheme() =>
        Assert.Equal(["ftp://h/a", "HTTPS://h/b"], Assert.Single(Build("""data.sources=["ftp://h/a", "HTTPS://h/b"]""")).Paths); // opening tells which are read

    [Fact]
    public void Cleaning_is_the_recipes_a_preset_or_thresholds_upon_one()
    {
        var sources = Build("""
            data.sources=[/a, {name = w, path = /w, kind = wikipedia}, {name = x, path = /x, kind = wikipedia, duplicates = web}, {name = p, path = /p, cleaning = web}, {name = q, path = /q, cleaning = {preset = web, minimum-line-characters = 9, drop-boilerplate = off}}, {name = r, path = /r, cleaning = {maximum-url-share = 0.25}}]
            """);
        var recipe = new CleaningOptions { MinimumLineCharacters = 20, Duplicates = DuplicateOptions.Web };
        Assert.Equal(
            [null, null, recipe, CleaningOptions.Web, CleaningOptions.Web with { MinimumLineCharacters = 9, DropBoilerplate = false }, CleaningOptions.Off with { MaximumUrlShare = 0.25 }],
            sources.Select(source => source.Cleaning));
        Assert.Equal(CleaningOptions.Web, Assert.Single(Build("data.cleaning=web")).Cleaning);
    }

    [Fact]
    public void Duplicates_are_looked_for_in_all_sources_or_in_one()
    {
        var sources = Build("data.sources=[/a, {name = b, path = /b, duplicates = {lines = true, memory-bytes = 67108864}}, {name = c, path = /c, duplicates = off, cleaning = off}]", "data.duplicates=web", "data.rejected-file=/r.jsonl");
        Assert.Equal(CleaningOptions.Off with { Duplicates = DuplicateOptions.Web, RejectedFile = "/r.jsonl" }, sources[0].Cleaning);
        Assert.Equal(DuplicateOptions.Off with { Lines = true, MemoryBytes = 64 << 20 }, sources[1].Cleaning!.Duplicates);
        Assert.Equal(CleaningOptions.Off, sources[2].Cleaning! with { RejectedFile = null });
    }

    [Theory]
    [InlineData("[{name = a, path = /a, duplicates = {similarity = 0.1}}]", "streaming.data.sources[0].duplicates.similarity is 0.1, but the similarity is from 0.3 to 0.98 (--set).")]
    [InlineData("[{path = /a}]", "streaming.data.sources[0].name is missing: it must be a name of letters, digits, '-', '_' and '.' (--set).")]
    [InlineData("[/a, {name = b}]", "streaming.data.sources[1].path is missing: it must be a file, folder, glob, URL or \"-\", or a list of them (--set).")]
    [InlineData("{name = a, path = /a, weight = 0}", "streaming.data.sources.weight must be a number above 0, at most 1000000000, was 0 (--set).")]
    [InlineData("[{name = a, path = /a, knd = lines}]", "streaming.data.sources[0].knd is no key; the nearest is kind (--set).")]
    [InlineData("[{name = a, path = /a, kind = html}]", "streaming.data.sources[0].kind must be auto, lines, wikipedia, jsonl or parquet, was html (--set).")]
    [InlineData("[{name = a, path = /a}, {name = a, path = /b}]", "streaming.data.sources[1].name must be another one than those before it, was a (--set).")]
    [InlineData("[/a, {name = text, path = /b}]", "streaming.data.sources names a source text, which is what its paths without a name form; give those a name too (--set).")]
    [InlineData("[{name = a, path = /a, cleaning = soap}]", "streaming.data.sources[0].cleaning must be recipe, off, web or wikipedia, or {preset = …, <key> = …}, was soap (--set).")]
    [InlineData("[{name = a, path = /a, cleaning = {minimum-line-character = 3}}]", "streaming.data.sources[0].cleaning.minimum-line-character is no key; the nearest is minimum-line-characters (--set).")]
    [InlineData("[{name = a, path = /a, cleaning = {maximum-url-share = 2}}]", "streaming.data.sources[0].cleaning.maximum-url-share must be a number from 0 to 1, was 2 (--set).")]
    [InlineData("[[/a]]", "streaming.data.sources[0] must be a file, folder, glob, URL, \"-\" or a source {name = …, path = …}, was [/a] (--set).")]
    public void What_is_wrong_is_named_by_its_place(string sources, string sentence)
        => Assert.Equal(sentence, Assert.Single(Assert.Throws<UserErrorException>(() => Build($"data.sources={sources}")).Sentences).Replace("(--set:1)", "(--set)"));

    [Fact]
    public void The_resolved_configuration_reads_back_as_the_same_sources()
    {
        var settings = Load("data.sources=[a b.xz, {name = w, path = [w.xml, -, \"http://h/x\"], weight = 2, cleaning = {preset = web, maximum-url-share = 0.25}}]");
        var written = settings.Write(Keys.Sources);
        Assert.Contains(Path.GetFullPath("w.xml"), written);
        Assert.Equal(written, Load($"data.sources={written}").Write(Keys.Sources));
    }

    private static IReadOnlyList<SourceOptions> Build(params string[] assignments) => RunOptionsBuilder.Build(Load(assignments)).Data.Sources;

    private static Settings Load(params string[] assignments) => SettingsLoader.Load(null, [.. assignments.Select(a => new Assignment(a.Trim()))], _ => null);
}
