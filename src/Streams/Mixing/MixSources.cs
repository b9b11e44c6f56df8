using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Batches;
using Streaming.Streams.Packing;

namespace Streaming.Streams.Mixing;

/// <summary>
/// Takes blocks of several sources by weight and emits batches. Which source is next does not depend on which one is ready:
/// it waits for the one that is due. A source that ends is noticed when it is due. Complete blocks that fill no batch at the
/// end of all are dropped in training, where every batch has one shape, and emitted as a batch of fewer rows in validation.
/// </summary>
internal sealed class MixSources(int sources, Func<BatchAssembler> createAssembler, TokenBlocksPool pool, bool keepFewerRows)
    : GraphStage<UniformFanInShape<TokenBlocks, TokenBatch>>
{
    public override UniformFanInShape<TokenBlocks, TokenBatch> Shape { get; } = new(
        new Outlet<TokenBatch>("MixSources.out"),
        [.. Enumerable.Range(0, sources).Select(index => new Inlet<TokenBlocks>($"MixSources.in{index}"))]);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) => new Logic(this, createAssembler(), pool, keepFewerRows);

    private sealed class Logic : OutGraphStageLogic
    {
        private readonly Outlet<TokenBatch> _out;
        private readonly IReadOnlyList<Inlet<TokenBlocks>> _in;
        private readonly BatchAssembler _batch;
        private readonly TokenBlocksPool _pool;
        private readonly bool _keepFewerRows;
        private readonly (TokenBlocks? Blocks, int Next)[] _at;
        private int? _due;

        public Logic(MixSources stage, BatchAssembler batch, TokenBlocksPool pool, bool keepFewerRows) : base(stage.Shape)
        {
            (_out, _in, _batch, _pool, _keepFewerRows) = (stage.Shape.Out, [.. stage.Shape.Ins], batch, pool, keepFewerRows);
            _at = new (TokenBlocks?, int)[_in.Count];
            SetHandler(_out, this);
            foreach (var inlet in _in)
                SetHandler(inlet, onPush: Advance, onUpstreamFinish: Advance);
        }

        public override void PreStart()
        {
            foreach (var inlet in _in)
                TryPull(inlet);
        }

        public override void OnPull() => Advance();

        private void Advance()
        {
            if (!IsAvailable(_out))
                return;
            while (!_batch.IsFull)
            {
                _due ??= _batch.NextSource;
                if (_due is not { } source)
                {
                    Finish();
                    return;
                }
                if (!HasBlock(source))
                {
                    if (!IsClosed(_in[source]))
                        return;
                    _batch.Leave(source);
                }
                else
                {
                    _batch.Add(source, _at[source].Blocks!, _at[source].Next++);
                }
                _due = null;
            }
            Push(_out, _batch.Emit());
        }

        /// <summary>Whether the source has a block at hand; what is used up goes back, and more is asked for ahead of need.</summary>
        private bool HasBlock(int source)
        {
            ref var at = ref _at[source];
            if (at.Blocks is { } used && at.Next == used.Count)
            {
                _pool.Return(used);
                at = default;
            }
            if (at.Blocks is null && IsAvailable(_in[source]))
            {
                var grabbed = Grab(_in[source]);
                at = (grabbed, grabbed.First);
                TryPull(_in[source]);
            }
            return at.Blocks is not null;
        }

        private void Finish()
        {
            if (_batch.Finish(_keepFewerRows) is { } last)
                Emit(_out, last, CompleteStage);
            else
                CompleteStage();
        }
    }
}
