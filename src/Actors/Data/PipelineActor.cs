using Akka.Actor;
using Akka.Event;
using Akka.Streams;
using Streaming.Streams;
using Streaming.Streams.Batches;

namespace Streaming.Actors;

/// <summary>
/// Owns the materialised text path: opens the training text at a cursor, closes it before another is opened and when the run
/// ends, and reads the held-out batches once.
/// </summary>
internal sealed class PipelineActor : ReceiveActor
{
    private readonly RunOptions _options;
    private readonly IMaterializer _materializer;
    private readonly EventStream _events = Context.System.EventStream;
    private readonly HashSet<IActorRef> _awaitHeldOut = [];
    private BatchStream? _training;
    private BatchStream? _validation;
    private object? _heldOut;

    public PipelineActor(RunOptions options, IMaterializer materializer)
    {
        _options = options;
        _materializer = materializer;
        Receive<PipelineProtocol.Open>(OnOpen);
        Receive<PipelineProtocol.GetHeldOut>(_ => OnGetHeldOut());
        Receive<PipelineProtocol.HeldOut>(OnHeldOut);
        Receive<PipelineProtocol.NotHeldOut>(OnHeldOut);
    }

    /// <param name="options">The run.</param>
    /// <param name="materializer">A materializer that outlives the trainer's restarts: streams made from an actor's own context die with it, unseen.</param>
    public static Props Props(RunOptions options, IMaterializer materializer) =>
        Akka.Actor.Props.Create(() => new PipelineActor(options, materializer));

    protected override void PostStop()
    {
        _training?.Dispose();
        _validation?.Dispose();
    }

    private void OnOpen(PipelineProtocol.Open open)
    {
        try
        {
            _training?.Dispose();
            _training = BatchStream.Start(_options.Data with { RecordDocuments = open.WithDocuments }, Split.Train, _materializer, open.Cursor, stateFolder: open.StateFolder);
            _events.Publish(new PipelineProtocol.TextOpened(_training.Statistics));
            Sender.Tell(new PipelineProtocol.Opened(_training, open.Request));
        }
        catch (Exception failure)
        {
            Sender.Tell(new PipelineProtocol.NotOpened(failure, open.Request));
        }
    }

    private void OnGetHeldOut()
    {
        if (_heldOut is not null)
        {
            Sender.Tell(_heldOut);
            return;
        }
        _awaitHeldOut.Add(Sender);
        if (_awaitHeldOut.Count > 1)
            return;
        CollectAsync().PipeTo(
            Self,
            success: batches => new PipelineProtocol.HeldOut(batches),
            failure: failure => new PipelineProtocol.NotHeldOut(failure));
    }

    private async Task<IReadOnlyList<TokenBatch>> CollectAsync()
    {
        var wanted = _options.Evaluation.Batches;
        if (wanted == 0 || _options.Data.ValidationFraction == 0)
            return [];
        if (_options.Data.Sources.Any(source => source.Paths.Contains("-")))
        {
            Notice("nothing is evaluated: standard input cannot be read a second time for held-out text");
            return [];
        }
        using var validation = _validation = BatchStream.Start(_options.Data, Split.Validation, _materializer);
        var batches = new List<TokenBatch>(wanted);
        while (batches.Count < wanted && await validation.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            while (batches.Count < wanted && validation.Reader.TryRead(out var batch))
                batches.Add(batch);
        }
        if (batches.Count == 0)
            Notice("nothing is evaluated: the held-out share of the text fills no block; raise data.validation-fraction or add text");
        return batches;
    }

    private void OnHeldOut(object answer)
    {
        _heldOut = answer as PipelineProtocol.HeldOut; // a failure is an answer for now: who asks again gets another try
        foreach (var waiting in _awaitHeldOut)
            waiting.Tell(answer);
        _awaitHeldOut.Clear();
    }

    private void Notice(string sentence) => _events.Publish(new RunProtocol.Noticed(sentence));
}
