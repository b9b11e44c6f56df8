using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Live;

namespace Streaming.Hosting.Tests.Live;

public sealed class RunHistorySpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("history-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_curves_go_on_where_an_earlier_process_left_off_and_broken_lines_are_passed_over()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "metrics.jsonl"),
            """
            {"step":1,"loss":5,"gradient_norm":1,"learning_rate":0.001,"tokens":64,"tokens_per_second":128,"step_seconds":0.5,"data_wait_seconds":0.1}
            {"step":2,"loss":4,"gradient_norm":-1,"learning_rate":0.001,"tokens":128,"tokens_per_second":128,"step_seconds":0.5,"data_wait_seconds":0,"more":{"loss":9}}
            {"step":2,"eval_loss":4.5,"eval_perplexity":90,"eval_batches":2}
            {"step":3,"loss":"high"}
            not JSON at all
            {"step":4,"loss":3,
            """, TestContext.Current.CancellationToken);
        var history = new RunHistory();
        history.Observe(new RunProtocol.Started(_folder, "reference", 1, 2, 128, 10, null));
        history.Observe(Step(3, 3.5f));
        await history.Loading;
        history.Observe(Step(4, 3));
        var json = Read(history, 0, long.MaxValue, 100);
        Assert.Equal([1, 2, 3, 4], Column(json, "step"));
        Assert.Equal([5, 4, 3.5, 3], Column(json, "loss"));
        Assert.Equal(0.2, Column(json, "data_wait_ratio")[0], 3);
        Assert.Equal(4.5, json.GetProperty("evaluations")[0][1].GetDouble());
    }

    [Fact]
    public async Task After_a_return_to_a_checkpoint_the_steps_are_told_once()
    {
        var history = new RunHistory();
        history.Observe(new RunProtocol.Started(_folder, "reference", 1, 0, 0, 10, null));
        await history.Loading;
        for (var step = 1; step <= 5; step++)
            history.Observe(Step(step, 5));
        history.Observe(new TrainerProtocol.EvaluationCompleted(5, 9, 1, TimeSpan.Zero));
        history.Observe(new RunProtocol.Started(_folder, "reference", 1, 3, 0, 10, "checkpoint"));
        history.Observe(Step(4, 4));
        var json = Read(history, 0, long.MaxValue, 100);
        Assert.Equal([1, 2, 3, 4], Column(json, "step"));
        Assert.Equal([5, 5, 5, 4], Column(json, "loss"));
        Assert.Equal(0, json.GetProperty("evaluations").GetArrayLength());
    }

    [Fact]
    public async Task No_spike_is_averaged_away_and_a_range_is_told_finer()
    {
        var history = new RunHistory();
        history.Observe(new RunProtocol.Started(_folder, "reference", 1, 0, 0, 10, null));
        await history.Loading;
        for (var step = 1; step <= 100_000; step++)
            history.Observe(Step(step, step == 77_777 ? 50 : 3));
        var all = Read(history, 0, long.MaxValue, 500);
        Assert.Equal(500, Column(all, "step").Count);
        Assert.Equal(50, Column(all, "loss_max").Max());
        Assert.True(Column(all, "loss").Max() < 4);
        var zoomed = Read(history, 77_770, 77_780, 500);
        Assert.Equal(Enumerable.Range(77_770, 11).Select(step => (double)step), Column(zoomed, "step"));
        Assert.Equal(50, Column(zoomed, "loss")[7]);
        Assert.Null(history.After(0, most: 512));
        Assert.Equal([99_999, 100_000], history.After(99_998, most: 512)!.Select(point => point.Step));
    }

    [Fact]
    public async Task Of_many_evaluations_as_many_are_told_as_buckets_and_the_last_one_in_any_case()
    {
        var history = new RunHistory();
        history.Observe(new RunProtocol.Started(_folder, "reference", 1, 0, 0, 10, null));
        await history.Loading;
        for (var step = 1; step <= 1001; step++)
            history.Observe(new TrainerProtocol.EvaluationCompleted(step, step, 1, TimeSpan.Zero));
        var told = Read(history, 0, long.MaxValue, 100).GetProperty("evaluations").EnumerateArray().Select(evaluation => evaluation[0].GetInt64()).ToList();
        Assert.InRange(told.Count, 50, 100);
        Assert.Equal(1001, told[^1]);
        Assert.Equal(5, Read(history, 10, 14, 100).GetProperty("evaluations").GetArrayLength());
    }

    [Fact]
    public void Beyond_its_capacity_the_series_keeps_every_second_point()
    {
        var series = new StepSeries(capacity: 1000);
        for (var step = 1; step <= 5000; step++)
            series.Add(new StepPoint(step, step, 0, 0, 0, 0));
        Assert.InRange(series.Count, 500, 1000);
        Assert.True(series[series.Count - 1].Step > 4980);
        var steps = Enumerable.Range(0, series.Count).Select(index => series[index].Step).ToList();
        Assert.Equal(steps.Order(), steps);
        Assert.InRange(steps.Zip(steps.Skip(1), (a, b) => b - a).Max(), 1, 16);
    }

    private static TrainerProtocol.StepCompleted Step(long step, float loss) =>
        new(step, loss, 1, 1e-3, 64, 64 * step, TimeSpan.FromSeconds(0.5), TimeSpan.Zero, 0, Skipped: false);

    private static JsonElement Read(RunHistory history, long from, long to, int points)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
            history.Write(json, from, to, points);
        return JsonDocument.Parse(buffer.WrittenMemory).RootElement;
    }

    private static List<double> Column(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(value => double.Parse(value.GetRawText(), CultureInfo.InvariantCulture))];
}
