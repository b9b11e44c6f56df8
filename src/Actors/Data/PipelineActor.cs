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
    private readonly PipelineOptions _data;
    private readonly IMaterializer _materializer;
    private readonly EventStream _events = Context.System.EventStream;
    private readonly HashSet<IActorRef> _awaitHeldOut = [];
    private BatchStream? _training;
    private PipelineProtocol.Open? _opening;
    private BatchStream? _validation;
    private object? _heldOut;
    private volatile bool _stopped;

    public PipelineActor(RunOptions options, IMaterializer materializer)
    {
        _options = options;
        _data = options.Data with { OnNotice = Notice };
        _materializer = materializer;
        Receive<PipelineProtocol.Open>(OnOpen);
        Receive<Ready>(OnReady);
        Receive<NotReady>(failed => failed.Asker.Tell(new PipelineProtocol.NotOpened(failed.Failure, failed.Open.Request)));
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
        _stopped = true;
        _training?.Dispose();
        _validation?.Dispose();
    }

    /// <summary>The text that was asked for is open.</summary>
    private sealed record Ready(BatchStream Text, PipelineProtocol.Open Open, IActorRef Asker);

    /// <summary>It cannot be opened.</summary>
    private sealed record NotReady(Exception Failure, PipelineProtocol.Open Open, IActorRef Asker);

    /// <summary>On another thread: a server that does not answer keeps neither another trainer waiting nor the end of the run.</summary>
    private void OnOpen(PipelineProtocol.Open open)
    {
        _training?.Dispose();
        (_training, _opening) = (null, open);
        var asker = Sender;
        Task.Run(() => Start(_data with { RecordDocuments = open.WithDocuments }, open)).PipeTo(
            Self,
            success: text => new Ready(text, open, asker),
            failure: failure => new NotReady(failure, open, asker));
    }

    private BatchStream Start(PipelineOptions data, PipelineProtocol.Open open)
    {
        var text = BatchStream.Start(data, Split.Train, _materializer, open.Cursor, stateFolder: open.StateFolder);
        if (_stopped)
            text.Dispose();
        return text;
    }

    private void OnReady(Ready ready)
    {
        if (!ReferenceEquals(ready.Open, _opening))
        {
            ready.Text.Dispose(); // of a trainer that has failed since
            return;
        }
        _training = ready.Text;
        _events.Publish(new PipelineProtocol.TextOpened(_training.Statistics));
        ready.Asker.Tell(new PipelineProtocol.Opened(_training, ready.Open.Request));
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
        Task.Run(CollectAsync).PipeTo(
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
        using var validation = _validation = BatchStream.Start(_data, Split.Validation, _materializer);
        var batches = new List<TokenBatch>(wanted);
        while (batches.Count < wanted && await validation.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            while (batches.Count < wanted && validation.Reader.TryRead(out var batch))
                batches.Add(batch);
        }
        if (batches.Count == 0 && !_stopped)
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
