namespace Streaming.Model.Generation.Host;

/// <summary>Part of a job: the items from <paramref name="begin"/> up to, not including, <paramref name="end"/>.</summary>
/// <param name="worker">Who works, from 0: picks scratch memory.</param>
internal delegate void GangWork(int worker, int begin, int end);

/// <summary>
/// Threads that share short jobs, many thousands a second, without allocating: between jobs they watch for the next one
/// some microseconds long, then sleep. The caller works too. Used by one caller at a time.
/// </summary>
internal sealed class WorkerGang : IDisposable
{
    private const int Watches = 2_000; // some 50 microseconds

    private readonly Thread[] _threads;
    private readonly SemaphoreSlim _wake = new(0);
    private GangWork? _work;
    private Exception? _failure;
    private int _count, _grain;
    private int _job, _next, _finished, _sleeping;
    private volatile bool _ended;

    /// <param name="workers">Workers, the caller included.</param>
    public WorkerGang(int workers)
    {
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
        Interlocked.Increment(ref _job);
        if (Interlocked.Exchange(ref _sleeping, 0) is > 0 and var sleeping)
            _wake.Release(sleeping);
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

    private void AwaitJobAfter(int done)
    {
        for (var i = 0; i < Watches; i++)
        {
            if (Volatile.Read(ref _job) != done)
                return;
            Thread.SpinWait(8);
        }
        Interlocked.Increment(ref _sleeping);
        if (Volatile.Read(ref _job) != done && TryStayAwake())
            return;
        _wake.Wait();
    }

    /// <summary>Takes back the announcement to sleep; false where the caller has already sent a wake-up for it.</summary>
    private bool TryStayAwake()
    {
        while (Volatile.Read(ref _sleeping) is > 0 and var sleeping)
        {
            if (Interlocked.CompareExchange(ref _sleeping, sleeping - 1, sleeping) == sleeping)
                return true;
        }
        return false;
    }

    public void Dispose()
    {
        if (_ended)
            return;
        _ended = true;
        Interlocked.Increment(ref _job);
        if (Interlocked.Exchange(ref _sleeping, 0) is > 0 and var sleeping)
            _wake.Release(sleeping);
        foreach (var thread in _threads)
            thread.Join();
        _wake.Dispose();
    }
}
