namespace Streaming.Model.Generation.Host;

/// <summary>Part of a job: the items from <paramref name="begin"/> up to, not including, <paramref name="end"/>.</summary>
/// <param name="worker">Who works, from 0: picks scratch memory.</param>
internal delegate void GangWork(int worker, int begin, int end);

/// <summary>
/// Threads that share short jobs, many thousands a second, without allocating: between jobs they watch for the next one
/// for a while, then sleep. The caller works too. Used by one caller at a time.
/// </summary>
internal sealed class WorkerGang : IDisposable
{
    private const int WatchesAMicrosecond = 40;

    /// <summary>From one product of a pass to the next.</summary>
    public static readonly TimeSpan ShortWatch = TimeSpan.FromMicroseconds(50);

    private readonly int _watches;
    private readonly Thread[] _threads;
    private readonly object _gate = new(); // guards announcements of jobs, and sleep
    private GangWork? _work;
    private Exception? _failure;
    private int _count, _grain;
    private int _job, _next, _finished, _sleepers;
    private volatile bool _ended;

    /// <param name="workers">Workers, the caller included.</param>
    /// <param name="watch">About how long they watch: longer than the time from one job to the next spares waking them, and keeps cores busy.</param>
    public WorkerGang(int workers, TimeSpan watch)
    {
        _watches = (int)(watch.TotalMicroseconds * WatchesAMicrosecond);
        _threads = new Thread[workers - 1];
        for (var i = 0; i < _threads.Length; i++)
        {
            var worker = i + 1;
            _threads[i] = new Thread(() => Serve(worker)) { IsBackground = true, Name = $"decoder-{worker}" };
            _threads[i].Start();
        }
    }

    public int Workers => _threads.Length + 1;

    /// <summary>Does a job; returns when it is done.</summary>
    /// <param name="count">Items of the job.</param>
    /// <param name="grain">Items that are taken at once; a job of no more is done by the caller alone.</param>
    /// <param name="work">What is done with each range of items.</param>
    public void Run(int count, int grain, GangWork work)
    {
        if (_threads.Length == 0 || count <= grain)
        {
            work(0, 0, count);
            return;
        }
        (_work, _count, _grain) = (work, count, grain);
        _next = 0;
        _finished = 0;
        Announce();
        TakeParts(0);
        var wait = new SpinWait();
        while (Volatile.Read(ref _finished) < _threads.Length)
            wait.SpinOnce(sleep1Threshold: -1);
        if (Interlocked.Exchange(ref _failure, null) is { } failure)
            throw new AggregateException(failure);
    }

    private void TakeParts(int worker)
    {
        while (true)
        {
            var end = Interlocked.Add(ref _next, _grain);
            if (end - _grain >= _count)
                return;
            _work!(worker, end - _grain, Math.Min(end, _count));
        }
    }

    private void Serve(int worker)
    {
        var done = 0;
        while (true)
        {
            AwaitJobAfter(done);
            if (_ended)
                return;
            done++;
            try
            {
                TakeParts(worker);
            }
            catch (Exception exception)
            {
                _failure = exception;
            }
            Interlocked.Increment(ref _finished);
        }
    }

    private void Announce()
    {
        lock (_gate)
        {
            _job++;
            if (_sleepers > 0)
                Monitor.PulseAll(_gate);
        }
    }

    private void AwaitJobAfter(int done)
    {
        for (var i = 0; i < _watches; i++)
        {
            if (Volatile.Read(ref _job) != done)
                return;
            Thread.SpinWait(8);
        }
        lock (_gate)
        {
            _sleepers++;
            while (_job == done)
                Monitor.Wait(_gate);
            _sleepers--;
        }
    }

    public void Dispose()
    {
        if (_ended)
            return;
        _ended = true;
        Announce();
        foreach (var thread in _threads)
            thread.Join();
    }
}
