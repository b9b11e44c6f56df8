namespace Streaming.Actors.Tests.Runs;

public sealed class RunDirectorySpec : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("run-directory-").FullName;

    public void Dispose() => Directory.Delete(_path, recursive: true);

    [Fact]
    public void A_directory_that_is_held_is_refused_in_one_sentence()
    {
        using var first = RunDirectory.Open(_path);
        var refusal = Assert.Throws<RunRefusedException>(() => RunDirectory.Open(_path));
        Assert.Equal($"run directory {_path} is in use by another process: stop that run first, or name another run directory", refusal.Message);
    }

    [Fact]
    public void A_directory_is_free_again_once_its_holder_is_gone()
    {
        RunDirectory.Open(_path).Dispose();
        using var second = RunDirectory.Open(_path);
        Assert.Equal(_path, second.Path);
    }

    [Fact]
    public void A_path_that_is_a_file_is_refused_in_one_sentence()
    {
        var file = Path.Combine(_path, "file");
        File.WriteAllText(file, "kept");
        var refusal = Assert.Throws<RunRefusedException>(() => RunDirectory.Open(file));
        Assert.Contains(file, refusal.Message, StringComparison.Ordinal);
        Assert.Equal("kept", File.ReadAllText(file));
    }

    [Theory]
    [InlineData("metrics.jsonl")]
    [InlineData("events.jsonl")]
    public void A_journal_that_cannot_be_written_is_refused_before_the_run_begins(string name)
    {
        var path = Directory.CreateDirectory(Path.Combine(_path, name)).FullName; // whoever runs this may write every file
        var refusal = Assert.Throws<RunRefusedException>(() => RunDirectory.Open(_path));
        Assert.StartsWith($"{path} cannot be written (", refusal.Message, StringComparison.Ordinal);
        Assert.EndsWith("): give it to the user that trains, or name another run directory", refusal.Message, StringComparison.Ordinal);
        Directory.Delete(path);
        RunDirectory.Open(_path).Dispose();
    }

    /// <summary>As a copy that follows links makes them.</summary>
    [Theory]
    [InlineData("latest")]
    [InlineData("best")]
    public void A_folder_where_a_link_is_to_be_is_refused_before_the_run_begins(string name)
    {
        var path = Directory.CreateDirectory(Path.Combine(_path, "checkpoints", name)).FullName;
        Assert.StartsWith($"{path} is a folder", Assert.Throws<RunRefusedException>(() => RunDirectory.Open(_path)).Message, StringComparison.Ordinal);
        Directory.Delete(path);
        Directory.CreateSymbolicLink(path, "step-00000007"); // which is not there
        RunDirectory.Open(_path).Dispose();
    }

    [Fact]
    public void A_file_where_the_checkpoints_are_to_lie_is_refused_before_the_run_begins()
    {
        var path = Path.Combine(_path, "checkpoints");
        File.WriteAllText(path, "");
        Assert.StartsWith($"{path} is a file", Assert.Throws<RunRefusedException>(() => RunDirectory.Open(_path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Going_back_sets_aside_only_what_lies_beyond()
    {
        using var directory = RunDirectory.Open(_path);
        var checkpoints = new[] { 1L, 2L, 3L }.Select(step =>
            (Directory.CreateDirectory(Path.Combine(directory.CheckpointsPath, $"step-{step:D8}")).FullName, step)).ToList();
        var aside = directory.SetAside(checkpoints, step: 1);
        Assert.NotNull(aside);
        Assert.Equal(["step-00000001"], Directory.GetDirectories(directory.CheckpointsPath).Select(Path.GetFileName));
        Assert.Equal(["step-00000002", "step-00000003"], Directory.GetDirectories(aside).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Beginning_anew_sets_the_journal_aside_too()
    {
        using var directory = RunDirectory.Open(_path);
        File.WriteAllText(directory.MetricsPath, "{\"step\":1}\n");
        var aside = directory.SetAside([], step: null);
        Assert.NotNull(aside);
        Assert.False(File.Exists(directory.MetricsPath));
        Assert.Equal("{\"step\":1}\n", File.ReadAllText(Path.Combine(aside, "metrics.jsonl")));
    }
}
