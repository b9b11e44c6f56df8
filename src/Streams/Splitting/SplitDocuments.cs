using System.Diagnostics;
using Akka.Streams;
using Akka.Streams.Stage;
using Streaming.Streams.Measurement;
using Streaming.Streams.Text;

namespace Streaming.Streams.Splitting;

/// <summary>Keeps the lines of one side of the split in each batch, and takes empty lines away. Emits empty batches too.</summary>
internal sealed class SplitDocuments(Func<DocumentSplit> createSplit, StageStatistics statistics) : GraphStage<FlowShape<LineBatch, LineBatch>>
{
    private readonly Inlet<LineBatch> _in = new("SplitDocuments.in");
    private readonly Outlet<LineBatch> _out = new("SplitDocuments.out");

    public override FlowShape<LineBatch, LineBatch> Shape => new(_in, _out);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) => new Logic(this, createSplit(), statistics);

    private sealed class Logic : InAndOutGraphStageLogic
    {
        private readonly SplitDocuments _stage;
        private readonly DocumentSplit _split;
        private readonly StageStatistics _statistics;

        public Logic(SplitDocuments stage, DocumentSplit split, StageStatistics statistics) : base(stage.Shape)
        {
            (_stage, _split, _statistics) = (stage, split, statistics);
            SetHandlers(stage._in, stage._out, this);
        }

        public override void OnPush()
        {
            var batch = Grab(_stage._in);
            var began = Stopwatch.GetTimestamp();
            var lines = batch.Lines.Count;
            _split.Keep(batch);
            batch.HandedOver = Stopwatch.GetTimestamp();
            _statistics.Add(batch.SourceBytes, lines, Stopwatch.GetElapsedTime(began, batch.HandedOver));
            Push(_stage._out, batch);
        }

        public override void OnPull() => Pull(_stage._in);
    }
}
