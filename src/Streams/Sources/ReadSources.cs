using System.Diagnostics;
using System.Threading.Channels;
using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Measurement;
using Streaming.Streams.Text;

namespace Streaming.Streams.Sources;

/// <summary>
/// Emits batches of lines. A thread of its own opens, decompresses, decodes and cuts, a few batches ahead of demand, and
/// stands still once they wait. Fails with a <see cref="SourceException"/>; stops the thread when downstream cancels.
/// </summary>
internal sealed class ReadSources(SourceReader reader, StageStatistics statistics) : GraphStage<SourceShape<LineBatch>>
{
    /// <summary>Batches read before they are asked for.</summary>
    public const int ReadAhead = 4;

    private readonly Outlet<LineBatch> _out = new("ReadSources.out");

    public override SourceShape<LineBatch> Shape => new(_out);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) => new Logic(this, reader, statistics);

    private sealed class Logic : OutGraphStageLogic
    {
        private readonly ReadSources _stage;
        private readonly SourceReader _reader;
        private readonly StageStatistics _statistics;
        private readonly CancellationTokenSource _stop = new();
        private readonly Channel<LineBatch> _ahead = Channel.CreateBounded<LineBatch>(
            new BoundedChannelOptions(ReadAhead) { SingleReader = true, SingleWriter = true });
        private readonly Action<Task<bool>> _onAvailable;

        public Logic(ReadSources stage, SourceReader reader, StageStatistics statistics) : base(stage.Shape)
        {
            (_stage, _reader, _statistics) = (stage, reader, statistics);
            _onAvailable = GetAsyncCallback<Task<bool>>(OnAvailable);
            SetHandler(stage._out, this);
        }

        public override void PreStart() => new Thread(Run) { IsBackground = true, Name = "read sources" }.Start();

        public override void PostStop() => _stop.Cancel();

        public override void OnPull()
        {
            if (_ahead.Reader.TryRead(out var batch))
                Push(_stage._out, batch);
            else
                _ahead.Reader.WaitToReadAsync().AsTask().ContinueWith(_onAvailable, TaskContinuationOptions.ExecuteSynchronously);
        }

        private void OnAvailable(Task<bool> available)
        {
            if (available.IsFaulted)
                FailStage(available.Exception.GetBaseException());
            else if (available.Result)
                OnPull();
            else
                CompleteStage();
        }

        private void Run()
        {
            try
            {
                foreach (var batch in _reader.Read(_stop.Token))
                {
                    batch.HandedOver = Stopwatch.GetTimestamp();
                    while (!_ahead.Writer.TryWrite(batch))
                        _ahead.Writer.WaitToWriteAsync(_stop.Token).AsTask().GetAwaiter().GetResult();
                    _statistics.AddWaiting(Stopwatch.GetElapsedTime(batch.HandedOver));
                }
                _ahead.Writer.Complete();
            }
            catch (Exception exception)
            {
                // After a stop nobody reads this.
                _ahead.Writer.Complete(exception);
            }
        }
    }
}
