using System.Diagnostics;
using System.Threading.Channels;
using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Measurement;

namespace Streaming.Streams.Batches;

/// <summary>
/// Ends a graph in a bounded channel: asks for a batch only once the one before has found room. Completes the channel with
/// the graph's own end or failure, whichever way the graph stops, and at once when told to stop.
/// </summary>
internal sealed class BatchQueue(ChannelWriter<TokenBatch> writer, CancellationToken stop, PipelineStatistics statistics)
    : GraphStageWithMaterializedValue<SinkShape<TokenBatch>, Task>
{
    private readonly Inlet<TokenBatch> _in = new("BatchQueue.in");

    public override SinkShape<TokenBatch> Shape => new(_in);

    public override ILogicAndMaterializedValue<Task> CreateLogicAndMaterializedValue(Attributes inheritedAttributes)
    {
        var logic = new Logic(this, writer, stop, statistics.Queue, statistics.SetCursor);
        return new LogicAndMaterializedValue<Task>(logic, logic.Completion);
    }

    private sealed class Logic : InGraphStageLogic
    {
        private readonly BatchQueue _stage;
        private readonly ChannelWriter<TokenBatch> _writer;
        private readonly CancellationToken _stop;
        private readonly StageStatistics _statistics;
        private readonly Action<PipelineCursor> _newest;
        private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Action<Task<bool>> _onRoom;
        private CancellationTokenRegistration _stopRegistration;
        private TokenBatch? _waiting;
        private long _waitingSince;

        public Logic(BatchQueue stage, ChannelWriter<TokenBatch> writer, CancellationToken stop, StageStatistics statistics, Action<PipelineCursor> newest) : base(stage.Shape)
        {
            (_stage, _writer, _stop, _statistics, _newest) = (stage, writer, stop, statistics, newest);
            _onRoom = GetAsyncCallback<Task<bool>>(OnRoom);
            SetHandler(stage._in, this);
        }

        public Task Completion => _completion.Task;

        public override void PreStart()
        {
            // The end of the text must not cut off a batch that waits for room.
            SetKeepGoing(true);
            _stopRegistration = _stop.Register(GetAsyncCallback(() => End(null)));
            Pull(_stage._in);
        }

        public override void OnPush()
        {
            _waiting = Grab(_stage._in);
            _waitingSince = Stopwatch.GetTimestamp();
            Write();
        }

        public override void OnUpstreamFinish()
        {
            if (_waiting is null)
                End(null);
        }

        public override void OnUpstreamFailure(Exception cause) => End(cause);

        public override void PostStop()
        {
            _stopRegistration.Dispose();
            Complete(new InvalidOperationException("The stream of batches was stopped together with its materializer."));
        }

        private void Write()
        {
            if (!_writer.TryWrite(_waiting!))
            {
                _writer.WaitToWriteAsync().AsTask().ContinueWith(_onRoom, TaskContinuationOptions.ExecuteSynchronously);
                return;
            }
            var tokens = _waiting!.Tokens.Length;
            _newest(_waiting.Cursor);
            _waiting = null;
            _statistics.Add(bytes: 0, lines: 0, busy: TimeSpan.Zero, Stopwatch.GetElapsedTime(_waitingSince), tokens);
            if (IsClosed(_stage._in))
                End(null);
            else
                Pull(_stage._in);
        }

        private void OnRoom(Task<bool> room)
        {
            if (room is { IsCompletedSuccessfully: true, Result: true })
                Write();
        }

        private void End(Exception? failure)
        {
            Complete(failure);
            if (failure is null)
                CompleteStage();
            else
                FailStage(failure);
        }

        private void Complete(Exception? failure)
        {
            _writer.TryComplete(failure);
            if (failure is null)
                _completion.TrySetResult();
            else
                _completion.TrySetException(failure);
        }
    }
}
