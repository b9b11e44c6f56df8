using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Packing;

/// <summary>Emits blocks whenever enough tokens have come in, and asks for more text only once those are used up. What becomes of an incomplete block at the end is the packer's to say.</summary>
internal sealed class PackBlocks(Func<BlockPacker> createPacker) : GraphStage<FlowShape<LineBatch, TokenBlocks>>
{
    private readonly Inlet<LineBatch> _in = new("PackBlocks.in");
    private readonly Outlet<TokenBlocks> _out = new("PackBlocks.out");

    public override FlowShape<LineBatch, TokenBlocks> Shape => new(_in, _out);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) => new Logic(this, createPacker());

    private sealed class Logic : InAndOutGraphStageLogic
    {
        private readonly PackBlocks _stage;
        private readonly BlockPacker _packer;

        public Logic(PackBlocks stage, BlockPacker packer) : base(stage.Shape)
        {
            (_stage, _packer) = (stage, packer);
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
            if (_packer.TryPack() is { } blocks)
                Push(_stage._out, blocks);
            else if (IsClosed(_stage._in))
                Finish();
            else
                Pull(_stage._in);
        }

        private void Finish()
        {
            if (_packer.Finish() is { } last)
                Emit(_stage._out, last, CompleteStage);
            else
                CompleteStage();
        }
    }
}
