using System.Diagnostics;
using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Measurement;
using Streaming.Streams.Text;

namespace Streaming.Streams.Shuffling;

/// <summary>
/// Permutes tokenised documents window by window. While one window is given out the next is filled, so that whoever is
/// behind never waits for a whole one but at the beginning; then nothing more is asked for. A window ends with its epoch.
/// </summary>
internal sealed class ShuffleDocuments(ShuffleOptions options, LineBatchPool pool, StageStatistics statistics) : GraphStage<FlowShape<LineBatch, LineBatch>>
{
    /// <summary>Tokens of an emitted batch, or the documents that reach it.</summary>
    private const int TokensOut = 1 << 14;

    private readonly Inlet<LineBatch> _in = new("ShuffleDocuments.in");
    private readonly Outlet<LineBatch> _out = new("ShuffleDocuments.out");

    public override FlowShape<LineBatch, LineBatch> Shape => new(_in, _out);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) => new Logic(this, options, pool, statistics);

    private sealed class Logic : InAndOutGraphStageLogic
    {
        private readonly ShuffleDocuments _stage;
        private readonly LineBatchPool _pool;
        private readonly StageStatistics _statistics;
        private ShuffleWindow _filling, _giving;
        private bool _isGiving;
        private LineBatch? _input;
        private int _next;

        public Logic(ShuffleDocuments stage, ShuffleOptions options, LineBatchPool pool, StageStatistics statistics) : base(stage.Shape)
        {
            (_stage, _pool, _statistics) = (stage, pool, statistics);
            (_filling, _giving) = (new ShuffleWindow(options), new ShuffleWindow(options));
            SetHandlers(stage._in, stage._out, this);
        }

        public override void PreStart() => Pull(_stage._in);

        public override void OnPush()
        {
            (_input, _next) = (Grab(_stage._in), 0);
            Fill();
            Give();
        }

        public override void OnPull() => Give();

        public override void OnUpstreamFinish()
        {
            Fill();
            Give();
        }

        /// <summary>Takes in what there is, and asks for more while the window has room.</summary>
        private void Fill()
        {
            var began = Stopwatch.GetTimestamp();
            if (_input is not null && !_filling.IsClosed && _filling.Take(_input, ref _next))
            {
                _pool.Return(_input);
                _input = null;
            }
            if (_input is null && IsClosed(_stage._in) && _filling is { HasBegun: true, IsClosed: false })
                _filling.Close();
            if (_filling.IsClosed && !_isGiving)
            {
                (_filling, _giving) = (_giving, _filling);
                _isGiving = true;
                _statistics.AddBusy(Stopwatch.GetElapsedTime(began));
                Fill();
                return;
            }
            _statistics.AddBusy(Stopwatch.GetElapsedTime(began));
            if (_input is null && !IsClosed(_stage._in) && !HasBeenPulled(_stage._in))
                Pull(_stage._in);
        }

        private void Give()
        {
            if (_isGiving && IsAvailable(_stage._out))
            {
                var began = Stopwatch.GetTimestamp();
                var batch = _pool.Rent();
                _giving.GiveInto(batch, TokensOut);
                batch.HandedOver = Stopwatch.GetTimestamp();
                _statistics.Add(bytes: 0, lines: 0, Stopwatch.GetElapsedTime(began, batch.HandedOver), tokens: batch.Tokens.Count);
                Push(_stage._out, batch);
                if (_giving.IsEmpty)
                {
                    _giving.Clear();
                    _isGiving = false;
                    Fill();
                }
            }
            if (!_isGiving && _input is null && IsClosed(_stage._in))
                CompleteStage();
        }
    }
}
