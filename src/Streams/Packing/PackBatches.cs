using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Batches;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>
/// Emits a batch whenever enough tokens have come in, and asks for more only once those are used up. At the end of the
/// text an incomplete block is dropped; complete blocks that fill no batch are dropped in training, where every batch has
/// one shape, and emitted as a batch of fewer rows in validation.
/// </summary>
internal sealed class PackBatches(Func<BatchPacker> createPacker, bool keepFewerRows) : GraphStage<FlowShape<LineBatch, TokenBatch>>
{
    private readonly Inlet<LineBatch> _in = new("PackBatches.in");
    private readonly Outlet<TokenBatch> _out = new("PackBatches.out");

    public override FlowShape<LineBatch, TokenBatch> Shape => new(_in, _out);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) => new Logic(this, createPacker(), keepFewerRows);

    private sealed class Logic : InAndOutGraphStageLogic
    {
        private readonly PackBatches _stage;
        private readonly BatchPacker _packer;
        private readonly bool _keepFewerRows;

        public Logic(PackBatches stage, BatchPacker packer, bool keepFewerRows) : base(stage.Shape)
        {
            (_stage, _packer, _keepFewerRows) = (stage, packer, keepFewerRows);
            SetHandlers(stage._in, stage._out, this);
        }

        public override void OnPush()
        {
            try
            {
                _packer.Give(Grab(_stage._in));
            }
            catch (SourceException exception)
            {
                FailStage(exception);
                return;
            }
            Advance();
        }

        public override void OnPull() => Advance();

        public override void OnUpstreamFinish()
        {
            if (!_packer.HasInput)
                Finish();
        }

        private void Advance()
        {
            if (_packer.TryPack() is { } batch)
                Push(_stage._out, batch);
            else if (IsClosed(_stage._in))
                Finish();
            else
                Pull(_stage._in);
        }

        private void Finish()
        {
            if (_packer.Finish(_keepFewerRows) is { } batch)
                Emit(_stage._out, batch, CompleteStage);
            else
                CompleteStage();
        }
    }
}
