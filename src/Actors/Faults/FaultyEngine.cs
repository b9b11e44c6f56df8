using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;

namespace Streaming.Actors;

/// <summary>The real engine, which fails where a plan says so.</summary>
/// <param name="engine">The real one, disposed with this.</param>
/// <param name="plan">What fails when.</param>
/// <param name="step">The step of the run that is being taken.</param>
internal sealed class FaultyEngine(ITrainingEngine engine, FaultPlan plan, Func<long> step) : ITrainingEngine
{
    public MistralConfig Model => engine.Model;

    public string Description => $"{engine.Description}, with faults by plan";

    public long ParameterCount => engine.ParameterCount;

    public AdapterSet? Adapters => engine.Adapters;

    public long Step
    {
        get => engine.Step;
        set => engine.Step = value;
    }

    public LossScaling? LossScale
    {
        get => engine.LossScale;
        set => engine.LossScale = value;
    }

    public float[]? Magnitudes
    {
        get => engine.Magnitudes;
        set => engine.Magnitudes = value;
    }

    public IReadOnlyList<IParameterState> Parameters => engine.Parameters;

    public void Accumulate(MicroBatch batch, int microBatches) => engine.Accumulate(batch, microBatches);

    public StepResult Update(double learningRate)
    {
        var now = step();
        if (plan.Happens(FaultKind.Kill, now))
            FaultPlan.Kill();
        if (plan.Happens(FaultKind.Hang, now))
            Thread.Sleep(Timeout.Infinite);
        if (plan.Happens(FaultKind.Engine, now))
            throw new InvalidOperationException("the engine failed by plan");
        if (plan.Happens(FaultKind.OutOfMemory, now))
            throw new InvalidOperationException("CUDA out of memory. Tried to allocate 2.00 GiB, by plan");
        if (plan.Happens(FaultKind.DeadDevice, now))
            throw new InvalidOperationException("CUDA error: an illegal memory access was encountered, by plan");
        var result = engine.Update(learningRate);
        if (plan.Happens(FaultKind.NonFiniteLoss, now))
            return result with { Loss = float.NaN };
        return plan.Happens(FaultKind.Spike, now) ? result with { Loss = result.Loss + 10 } : result;
    }

    public double Evaluate(MicroBatch batch) => plan.Happens(FaultKind.Evaluation, step() - 1)
        ? throw new InvalidOperationException("the evaluation failed by plan")
        : engine.Evaluate(batch);

    public EngineSnapshot Capture(EngineSnapshot? reuse = null) => engine.Capture(reuse);

    public void PrepareCapture() => engine.PrepareCapture();

    public void Dispose() => engine.Dispose();
}
