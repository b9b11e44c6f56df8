using Streaming.Actors;

namespace Streaming.Hosting.Live;

/// <summary>A step as a curve shows it; 24 bytes, as a run has millions.</summary>
/// <param name="WaitRatio">Share of the step's time that was spent waiting for text.</param>
internal readonly record struct StepPoint(int Step, float Loss, float GradientNorm, float LearningRate, float TokensPerSecond, float WaitRatio)
{
    public static StepPoint Of(TrainerProtocol.StepCompleted step) => new(
        (int)step.Step, step.Loss, step.GradientNorm, (float)step.LearningRate, (float)step.TokensPerSecond,
        (float)(step.DataWait.TotalSeconds / Math.Max(step.Elapsed.TotalSeconds, 1e-9)));
}
