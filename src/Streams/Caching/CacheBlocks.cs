using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Measurement;
using Streaming.Streams.Packing;
using Streaming.Streams.Sources;

namespace Streaming.Streams.Caching;

/// <summary>
/// Writes the blocks of the first epoch into the cache as they pass, and then, with no text any more, gives out those of the
/// epochs that follow.
/// </summary>
internal sealed class CacheBlocks(CachePlan plan, TokenBlocksPool pool, SourceStatistics statistics) : GraphStage<FlowShape<TokenBlocks, TokenBlocks>>
{
    private readonly Inlet<TokenBlocks> _in = new("CacheBlocks.in");
    private readonly Outlet<TokenBlocks> _out = new("CacheBlocks.out");

    public override FlowShape<TokenBlocks, TokenBlocks> Shape => new(_in, _out);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) => new Logic(this, plan, pool, statistics);

    private sealed class Logic : InAndOutGraphStageLogic
    {
        private readonly CacheBlocks _stage;
        private readonly CachePlan _plan;
        private readonly TokenBlocksPool _pool;
        private readonly SourceStatistics _statistics;
        private bool _textHasEnded;
        private long _next;

        public Logic(CacheBlocks stage, CachePlan plan, TokenBlocksPool pool, SourceStatistics statistics) : base(stage.Shape)
        {
            (_stage, _plan, _pool, _statistics) = (stage, plan, pool, statistics);
            (_next, _textHasEnded) = (plan.BlocksTaken, !plan.ReadsText);
            SetHandlers(stage._in, stage._out, this);
        }

        public override void PreStart() => Guard(() =>
        {
            if (_plan.ReadsText)
                _plan.Cache.BeginAt(_plan.FirstWritten);
        });

        public override void PostStop() => _plan.Cache.Dispose();

        public override void OnPush() => Guard(() =>
        {
            var blocks = Grab(_stage._in);
            var before = _plan.Cache.Count;
            _plan.Cache.Append(blocks);
            if (_plan.Cache.Count <= _next)
            {
                _pool.Return(blocks);
                Pull(_stage._in);
                return;
            }
            blocks.Skip((int)Math.Max(0, _next - before));
            _next = _plan.Cache.Count;
            Push(_stage._out, blocks);
        });

        public override void OnPull()
        {
            if (_textHasEnded)
                Guard(Give);
            else
                Pull(_stage._in);
        }

        public override void OnUpstreamFinish() => Guard(() =>
        {
            if (_plan.ReadsText)
                _plan.Cache.Complete();
            _textHasEnded = true;
            if (IsAvailable(_stage._out))
                Give();
        });

        private void Give()
        {
            var blocks = _pool.Rent();
            for (; !blocks.IsFull && _plan.At(_next) is var (block, epoch); _next++)
                _plan.Cache.ReadInto(blocks, block, epoch);
            _statistics.SetEpochsCompleted(_plan.Cache.Count == 0 ? 1 : _next / _plan.Cache.Count);
            if (blocks.Count > 0)
                Push(_stage._out, blocks);
            else
                CompleteStage();
        }

        private void Guard(Action work)
        {
            try
            {
                work();
            }
            catch (SourceException exception)
            {
                FailStage(exception);
            }
        }
    }
}
