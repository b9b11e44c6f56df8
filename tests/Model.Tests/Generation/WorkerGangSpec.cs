using Streaming.Model.Generation.Host;

namespace Streaming.Model.Tests.Generation;

public sealed class WorkerGangSpec
{
    // Jobs follow one another at once, or after a pause in which workers fall asleep; with more workers than cores some are late for either.
    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void A_job_is_done_once_and_whole_when_its_caller_goes_on(int workers)
    {
        const int jobs = 100, items = 37;
        using var gang = new WorkerGang(workers, WorkerGang.ShortWatch);
        var done = new int[items];
        for (var job = 1; job <= jobs; job++)
        {
            gang.Run(items, 1, (_, begin, end) =>
            {
                for (var i = begin; i < end; i++) Interlocked.Increment(ref done[i]);
            });
            Assert.All(done, count => Assert.Equal(job, count));
            if (job % 20 == 0) Thread.Sleep(1);
        }
    }
}
