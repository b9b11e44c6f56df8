using System.Text.Json;

namespace Streaming.Actors.Tests.Training;

public sealed class MetricsJournalSpec : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"journal-{Guid.NewGuid():N}.jsonl");

    public void Dispose() => File.Delete(_path);

    [Fact]
    public void A_resumed_journal_forgets_the_steps_beyond_the_checkpoint()
    {
        Write(fromStep: 0, steps: [1, 2, 3, 4]);
        Write(fromStep: 2, steps: [3, 4, 5]);
        Assert.Equal([1, 2, 3, 4, 5], Steps());
    }

    [Fact]
    public void A_line_that_a_kill_left_half_written_is_cut_off()
    {
        Write(fromStep: 0, steps: [1, 2, 3]);
        using (var file = new FileStream(_path, FileMode.Open))
            file.SetLength(file.Length - 5);
        Write(fromStep: 3, steps: [4]);
        Assert.Equal([1, 2, 4], Steps());
    }

    [Fact]
    public void A_whole_line_without_its_line_end_is_cut_off()
    {
        Write(fromStep: 0, steps: [1, 2]);
        using (var file = new FileStream(_path, FileMode.Open))
            file.SetLength(file.Length - 1);
        Write(fromStep: 2, steps: [3]);
        Assert.Equal([1, 3], Steps());
    }

    [Fact]
    public void The_evaluation_of_the_resumed_step_stays_and_is_known()
    {
        using (var journal = MetricsJournal.Open(_path, 0))
        {
            journal.Write(Step(1));
            journal.Write(new TrainerProtocol.EvaluationCompleted(1, 2.5, 4, TimeSpan.FromSeconds(1)));
            journal.Write(Step(2));
            journal.Write(new TrainerProtocol.EvaluationCompleted(2, 2.25, 4, TimeSpan.FromSeconds(1)));
        }
        using (var journal = MetricsJournal.Open(_path, 1))
            Assert.Equal(1, journal.LastEvaluation);
        Assert.Equal([1, 1], Steps());
    }

    [Fact]
    public void A_line_that_is_damaged_in_the_middle_costs_itself_alone_and_is_told_of()
    {
        Write(fromStep: 0, steps: [1, 2, 3, 4, 5]);
        var lines = File.ReadAllLines(_path);
        lines[1] = lines[1][..9] + "\0\uFFFD";
        lines[3] = "";
        File.WriteAllLines(_path, lines);
        var told = new List<string>();
        using (var journal = MetricsJournal.Open(_path, 5, told.Add))
            journal.Write(Step(6));
        Assert.Equal([1, 3, 5, 6], Steps());
        Assert.Contains($"2 damaged lines of {_path}, the first at byte ", Assert.Single(told), StringComparison.Ordinal);
        Assert.False(File.Exists(_path + ".new"));
    }

    [Fact]
    public void A_step_that_is_damaged_costs_its_line_alone_and_a_loss_that_is_none_nothing()
    {
        Write(fromStep: 0, steps: [1, 2, 3, 4, 5]);
        var lines = File.ReadAllLines(_path);
        lines[1] = lines[1].Replace("\"step\":2", "\"step\":92", StringComparison.Ordinal);
        lines[2] = "{\"step\":3,\"eval_loss\":\"2.5\"}";
        File.WriteAllLines(_path, lines);
        var told = new List<string>();
        using (var journal = MetricsJournal.Open(_path, 4, told.Add))
            journal.Write(Step(5));
        Assert.Equal([1, 3, 4, 5], Steps());
        Assert.StartsWith($"1 damaged line of {_path}", Assert.Single(told), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("garbage\n\0\0\0\n")]
    public void A_journal_of_which_nothing_is_left_is_told_of(string left)
    {
        File.WriteAllText(_path, left);
        var told = new List<string>();
        MetricsJournal.Open(_path, 7, told.Add).Dispose();
        Assert.Equal($"{_path} ends with step 0, and the run goes on after step 7: the lines between are missing", Assert.Single(told));
        File.Delete(_path);
        MetricsJournal.Open(_path, 7, told.Add).Dispose();
        Assert.Single(told);
    }

    [Fact]
    public void Lines_that_are_missing_at_the_end_are_told_of()
    {
        Write(fromStep: 0, steps: [1, 2, 3]);
        var told = new List<string>();
        MetricsJournal.Open(_path, 7, told.Add).Dispose();
        Assert.Equal($"{_path} ends with step 3, and the run goes on after step 7: the lines between are missing", Assert.Single(told));
    }

    private void Write(long fromStep, long[] steps)
    {
        using var journal = MetricsJournal.Open(_path, fromStep);
        foreach (var step in steps)
            journal.Write(Step(step));
    }

    private static TrainerProtocol.StepCompleted Step(long step) =>
        new(step, 2.5f, 1, 1e-3, 128, 128 * step, TimeSpan.FromSeconds(0.5), TimeSpan.Zero, 3, false);

    private long[] Steps() =>
        [.. File.ReadLines(_path).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("step").GetInt64())];
}
