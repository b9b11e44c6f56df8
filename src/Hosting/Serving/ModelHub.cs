using Streaming.Hosting.Configuration;
using Streaming.Hosting.Generation;

namespace Streaming.Hosting.Serving;

/// <summary>
/// The model that is served now. Where the path leads to another folder later (a run wrote a checkpoint), that one is loaded
/// beside the old one and takes over new requests; the old one ends with its last text.
/// </summary>
internal sealed class ModelHub(ServeOptions options, Action<string> notice) : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _counting = new();
    private readonly List<ModelWorker> _loaded = [];
    private (long Generated, long Prompts) _gone;
    private volatile ModelWorker? _current;
    private string _refused = "";
    private Task _watch = Task.CompletedTask;

    public ServeOptions Options { get; } = options;

    public ModelWorker Current => _current ?? throw new InvalidOperationException("no model is loaded yet");

    /// <summary>Tokens generated, and tokens of prompts read, by every model that was served so far; they never fall.</summary>
    public (long Generated, long Prompts) Tokens
    {
        get
        {
            lock (_counting)
                return _loaded.Aggregate(_gone, (sum, worker) => Sum(sum, worker.Tokens));
        }
    }

    /// <summary>When the first model was loaded, for the list of models.</summary>
    public DateTimeOffset Created { get; } = DateTimeOffset.UtcNow;

    /// <summary>Fails when a model's thread failed.</summary>
    public Task Failed => _failed.Task;

    /// <exception cref="UserErrorException">The folder holds no usable model.</exception>
    public void Start()
    {
        _current = Load();
        if (Options.WatchInterval is { } interval)
            _watch = WatchAsync(interval);
    }

    /// <summary>Loads what the path leads to now, and changes over.</summary>
    public void Refresh()
    {
        var folder = ModelFolder.Resolve(Options.ModelPath);
        if (folder == Current.Model.Path || folder == _refused)
            return;
        try
        {
            var old = Current;
            _current = Load();
            old.Retire();
            notice($"serving {_current.Model.Path}; {old.Pending} texts end with {old.Model.Name}");
        }
        catch (Exception mistake) // a device without room for a second model, say: the one that is served goes on
        {
            _refused = folder;
            notice($"{folder} is not served, {Current.Model.Name} stays: {mistake.Message.Split('\n')[0]}");
        }
    }

    private ModelWorker Load()
    {
        var model = ModelFolder.Open(Options.ModelPath, Options.Tokenizer);
        var decoder = Decoders.Open(model, Options.Compute, Options.Slots, Options.ContextLength);
        var worker = new ModelWorker(model, decoder, Options.MaxWaiting);
        lock (_counting)
            _loaded.Add(worker);
        worker.Ended.ContinueWith(ended => Forget(worker, ended), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return worker;
    }

    /// <summary>A model that ended leaves its counts alone behind.</summary>
    private void Forget(ModelWorker worker, Task ended)
    {
        lock (_counting)
        {
            _loaded.Remove(worker);
            _gone = Sum(_gone, worker.Tokens);
        }
        if (ended.Exception is { } failure)
            _failed.TrySetException(failure.InnerExceptions);
    }

    private static (long Generated, long Prompts) Sum((long Generated, long Prompts) a, (long Generated, long Prompts) b) =>
        (a.Generated + b.Generated, a.Prompts + b.Prompts);

    private async Task WatchAsync(TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token).ConfigureAwait(false))
            {
                try
                {
                    Refresh();
                }
                catch (UserErrorException)
                {
                    // The folder is away for a moment, while a checkpoint is renamed say; the next look finds it.
                }
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    /// <summary>Takes no more texts, and gives those under way so long to end.</summary>
    public async Task DrainAsync(TimeSpan patience)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        await _watch.ConfigureAwait(false);
        Current.Retire();
        if (await Task.WhenAny(Current.Ended, Task.Delay(patience)).ConfigureAwait(false) != Current.Ended)
            Current.CancelAll();
        await Current.Ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        if (_current is not null)
            await DrainAsync(TimeSpan.Zero).ConfigureAwait(false);
        _stop.Dispose();
    }
}

/// <summary>How a model is served.</summary>
internal sealed record ServeOptions
{
    /// <summary>A model's folder, or a run's, whose newest checkpoint is served.</summary>
    public required string ModelPath { get; init; }

    /// <summary>By which clients name the model.</summary>
    public required string Name { get; init; }

    public string? Tokenizer { get; init; }
    public ComputeOptions Compute { get; init; } = new();

    /// <summary>Texts that are generated at once; 0 leaves it to the device.</summary>
    public int Slots { get; init; }

    /// <summary>Texts that wait for a slot; more are refused with 429.</summary>
    public int MaxWaiting { get; init; } = 64;

    /// <summary>Tokens of prompt and answer together.</summary>
    public int ContextLength { get; init; } = 4096;

    /// <summary>How often the path is looked at for a newer checkpoint; null never.</summary>
    public TimeSpan? WatchInterval { get; init; } = TimeSpan.FromSeconds(2);
}
