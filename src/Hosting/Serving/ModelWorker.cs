using Streaming.Hosting.Generation;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Serving;

/// <summary>What became of an offer.</summary>
internal enum Submission { Accepted, Full, Retired }

/// <summary>
/// One loaded model and the thread that runs it: texts join its batch between steps. Once retired it takes no more texts,
/// brings those it has to their end, and frees the model.
/// </summary>
internal sealed class ModelWorker
{
    private readonly IDecoder _decoder;
    private readonly DecodingBatch _batch;
    private readonly int _most;
    private readonly Lock _lock = new();
    private readonly Queue<TextRequest> _inbox = new();
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _pending;
    private bool _retired;
    private volatile bool _cancelAll;

    /// <param name="model">What runs.</param>
    /// <param name="decoder">Owned from now on.</param>
    /// <param name="maxWaiting">Texts that may wait for a slot.</param>
    public ModelWorker(ModelFolder model, IDecoder decoder, int maxWaiting)
    {
        (Model, _decoder, _most) = (model, decoder, decoder.Slots + maxWaiting);
        (Slots, ContextLength) = (decoder.Slots, decoder.ContextLength);
        _batch = new DecodingBatch(decoder);
        new Thread(Run) { IsBackground = true, Name = "generation" }.Start();
    }

    public ModelFolder Model { get; }

    /// <summary>Texts that are generated at once.</summary>
    public int Slots { get; }

    public int ContextLength { get; }

    /// <summary>Texts that run or wait.</summary>
    public int Pending => Volatile.Read(ref _pending);

    /// <summary>Texts that one request may ask for.</summary>
    public int MostTexts => _most;

    /// <summary>Tokens generated, and tokens of prompts read, since the model was loaded.</summary>
    public (long Generated, long Prompts) Tokens => (_batch.TokensGenerated, _batch.PromptTokensRead);

    /// <summary>Completes when the model is freed; fails with what stopped the thread.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Takes all of the texts or none.</summary>
    public Submission TrySubmit(IReadOnlyList<TextRequest> texts)
    {
        lock (_lock)
        {
            if (_retired)
                return Submission.Retired;
            if (_pending + texts.Count > _most)
                return Submission.Full;
            _pending += texts.Count;
            foreach (var text in texts)
                _inbox.Enqueue(text);
            Wake();
        }
        return Submission.Accepted;
    }

    /// <summary>Takes no more texts.</summary>
    public void Retire()
    {
        lock (_lock)
        {
            _retired = true;
            Wake();
        }
    }

    /// <summary>Ends the texts that are left.</summary>
    public void CancelAll()
    {
        Retire();
        _cancelAll = true;
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0)
            _wake.Release();
    }

    private void Run()
    {
        try
        {
            while (TakeIn())
            {
                if (_cancelAll)
                    _batch.CancelAll();
                var goesOn = _batch.Step();
                CountPending();
                if (!goesOn && IsIdle())
                    _wake.Wait();
            }
            _decoder.Dispose();
            _ended.TrySetResult();
        }
        catch (Exception failure)
        {
            Retire();
            TakeIn();
            _batch.CancelAll();
            _ended.TrySetException(failure);
        }
    }

    /// <summary>Moves new texts into the batch.</summary>
    /// <returns>False once nothing is left and nothing will come.</returns>
    private bool TakeIn()
    {
        lock (_lock)
        {
            while (_inbox.TryDequeue(out var text))
                _batch.Add(text);
            return !_retired || _batch.Running + _batch.Waiting > 0;
        }
    }

    private void CountPending()
    {
        lock (_lock)
            _pending = _inbox.Count + _batch.Running + _batch.Waiting;
    }

    private bool IsIdle()
    {
        lock (_lock)
            return _inbox.Count == 0 && !_retired;
    }
}
