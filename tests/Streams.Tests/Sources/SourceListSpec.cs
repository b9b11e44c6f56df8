using Streaming.Streams.Sources;

namespace Streaming.Streams.Tests.Sources;

public sealed class SourceListSpec : IDisposable
{
    private readonly TextFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Sources_keep_their_order_and_globs_are_sorted_by_name()
    {
        string[] names = ["b.txt", "a.txt", "B.txt", "part/2.txt", "part/1.txt", "part/.hidden.txt", "part/deep/3.txt"];
        foreach (var name in names)
            _files.Write(name, "text\n");
        Assert.Equal(["b.txt", "B.txt", "a.txt", "b.txt"], Expand("b.txt", "?.txt"));
        Assert.Equal(["part/1.txt", "part/2.txt"], Expand("p*/*.txt"));
        Assert.Equal(["B.txt", "a.txt", "b.txt", "part/1.txt", "part/2.txt", "part/deep/3.txt"], Expand("**/*.txt"));
        Assert.Equal(["part/.hidden.txt"], Expand("part/.*"));
    }

    [Fact]
    public void A_file_whose_name_looks_like_a_glob_is_that_file()
    {
        _files.Write("a*.txt", "text\n");
        _files.Write("ab.txt", "text\n");
        Assert.Equal(["a*.txt"], Expand("a*.txt"));
    }

    [Fact]
    public void Files_are_measured_and_standard_input_is_not()
    {
        var path = _files.Write("a.txt", "four");
        Assert.Equal([new SourceFile(path, 4), new SourceFile("-", null)], SourceList.Expand([path, "-"]));
    }

    [Theory]
    [InlineData("missing.txt", "does not exist")]
    [InlineData("*.none", "matches no file")]
    [InlineData("no/folder/*.txt", "matches no file")]
    [InlineData("ftp://host/a", "ftp://")]
    [InlineData("~/data.txt", "home folder")]
    public void What_cannot_be_read_is_named(string source, string reason)
    {
        var path = source.Contains("//") || source.StartsWith('~') ? source : Path.Combine(_files.Folder, source);
        var exception = Assert.Throws<SourceException>(() => SourceList.Expand([path]));
        Assert.Contains(source.StartsWith("ftp") ? "ftp://" : path, exception.Message);
        Assert.Contains(reason, exception.Message);
    }

    [Fact]
    public void A_folder_stands_for_all_its_files_sorted_and_without_hidden_ones()
    {
        foreach (var name in (string[])["b.txt", "part/2.txt", "a.txt", "part/deep/1.txt", ".hidden.txt", ".folder/3.txt"])
            _files.Write(name, "text\n");
        Assert.Equal(["a.txt", "b.txt", "part/2.txt", "part/deep/1.txt"], Expand("."));
        Assert.Equal(["part/2.txt", "part/deep/1.txt"], Expand("part"));
    }

    [Fact]
    public void An_empty_folder_is_refused()
    {
        Directory.CreateDirectory(Path.Combine(_files.Folder, "empty"));
        Assert.Contains("holds no files", Assert.Throws<SourceException>(() => Expand("empty").ToList()).Message);
    }

    [Fact]
    public void No_sources_and_standard_input_twice_are_refused()
    {
        Assert.Throws<SourceException>(() => SourceList.Expand([]));
        Assert.Throws<SourceException>(() => SourceList.Expand([""]));
        Assert.Throws<SourceException>(() => SourceList.Expand(["-", "-"]));
    }

    private IEnumerable<string> Expand(params string[] sources) =>
        SourceList.Expand([.. sources.Select(source => Path.Combine(_files.Folder, source))])
            .Select(file => Path.GetRelativePath(_files.Folder, file.Path));
}
