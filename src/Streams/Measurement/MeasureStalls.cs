using System.Diagnostics;
using Akka.Streams;
using Akka.Streams.Stage;

namespace Streaming.Streams.Measurement;

/// <summary>
/// Passes elements on and measures who waits for whom: from demand to element the stage after it waits (stalled upstream), from
/// element to demand the stage before it (stalled downstream). Two clock reads an element.
/// </summary>
/// <param name="before">The stages that emit: several where they work on an element in one go.</param>
/// <param name="after">The stages that ask.</param>
internal sealed class MeasureStalls<T>(IReadOnlyList<StageStatistics> before, IReadOnlyList<StageStatistics> after) : GraphStage<FlowShape<T, T>>
{
    private readonly IReadOnlyList<StageStatistics> _before = before, _after = after;
    private readonly Inlet<T> _in = new("MeasureStalls.in");
    private readonly Outlet<T> _out = new("MeasureStalls.out");

    public override FlowShape<T, T> Shape => new(_in, _out);

    protected override GraphStageLogic CreateLogic(Attributes inheritedAttributes) =>
        new Logic(this);

    private sealed class Logic : InAndOutGraphStageLogic
    {
        private readonly MeasureStalls<T> _stage;
        private readonly StallClock _upstream = new(), _downstream = new();

        public Logic(MeasureStalls<T> stage) : base(stage.Shape)
        {
            _stage = stage;
            foreach (var waiting in stage._after)
                waiting.AddUpstream(_upstream);
            foreach (var heldBack in stage._before)
                heldBack.AddDownstream(_downstream);
            SetHandlers(stage._in, stage._out, this);
        }

        public override void OnPull()
        {
            var now = Stopwatch.GetTimestamp();
            _downstream.Stop(now);
            _upstream.Start(now);
            Pull(_stage._in);
        }

        public override void OnPush()
        {
            var now = Stopwatch.GetTimestamp();
            _upstream.Stop(now);
            _downstream.Start(now);
            Push(_stage._out, Grab(_stage._in));
        }

        // Nobody waits for a stream that has ended.
        public override void PostStop()
        {
            var now = Stopwatch.GetTimestamp();
            _upstream.Stop(now);
            _downstream.Stop(now);
        }
    }
}
