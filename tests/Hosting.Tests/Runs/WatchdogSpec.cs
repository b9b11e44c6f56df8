using Microsoft.Extensions.Hosting.Systemd;
using Streaming.Actors;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Tests.Runs;

public sealed class WatchdogSpec
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(5);

    [Fact]
    public async Task A_run_without_progress_is_ended_once_with_its_age_and_the_last_of_it()
    {
        var hang = new TaskCompletionSource<(TimeSpan Age, string Last)>();
        using var watchdog = new Watchdog(TimeSpan.FromMilliseconds(300), null, TimeProvider.System, (age, last) => hang.SetResult((age, last)), s_look);
        watchdog.Observe(Step(7));
        var (age, last) = await hang.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.True(age >= TimeSpan.FromMilliseconds(300));
        Assert.Equal("step 7", last);
    }

    [Fact]
    public async Task Notices_and_failures_are_no_progress()
    {
        var hang = new TaskCompletionSource();
        using var watchdog = new Watchdog(TimeSpan.FromMilliseconds(300), null, TimeProvider.System, (_, _) => hang.SetResult(), s_look);
        for (var tries = 0; tries < 500 && !hang.Task.IsCompleted; tries++)
        {
            watchdog.Observe(new RunProtocol.Noticed("the source is tried again"));
            watchdog.Observe(new CheckpointProtocol.Failed(3, "the disk is full"));
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
        Assert.True(hang.Task.IsCompleted);
    }

    [Fact]
    public async Task A_run_that_ended_and_a_paused_one_are_let_be()
    {
        var hung = false;
        using var ended = new Watchdog(TimeSpan.FromMilliseconds(200), null, TimeProvider.System, (_, _) => hung = true, s_look);
        using var paused = new Watchdog(TimeSpan.FromSeconds(2), null, TimeProvider.System, (_, _) => hung = true, s_look);
        ended.Observe(new RunProtocol.Ended(new RunOutcome.Completed("done")));
        for (var second = 0; second < 20; second++)
        {
            paused.Observe(new ControlProtocol.StillPaused(3));
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
        Assert.False(hung);
    }

    [Fact]
    public async Task Systemd_is_told_for_as_long_as_there_is_progress()
    {
        var notifier = new Notifier();
        var hang = new TaskCompletionSource();
        using var watchdog = new Watchdog(TimeSpan.FromMilliseconds(400), notifier, TimeProvider.System, (_, _) => hang.SetResult(), s_look);
        await hang.Task.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        var told = notifier.Told;
        Assert.True(told > 0);
        await Task.Delay(50, TestContext.Current.CancellationToken);
        Assert.Equal(told, notifier.Told);
    }

    [Theory]
    [InlineData(null, 3600, 10)]
    [InlineData("4000000", 3600, 2)]
    [InlineData("4000000", 4, 1)]
    public void It_looks_twice_as_often_as_systemd_asks_for(string? microseconds, double timeout, double interval) =>
        Assert.Equal(TimeSpan.FromSeconds(interval), Watchdog.Interval(microseconds, TimeSpan.FromSeconds(timeout)));

    private static TrainerProtocol.StepCompleted Step(long step) => new(step, 1, 1, 1, 1, 1, TimeSpan.Zero, TimeSpan.Zero, 0, false);

    private sealed class Notifier : ISystemdNotifier
    {
        private int _told;

        public int Told => _told;

        public bool IsEnabled => true;

        public void Notify(ServiceState state) => Interlocked.Increment(ref _told);
    }
}
