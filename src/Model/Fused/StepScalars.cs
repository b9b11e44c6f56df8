using System.Runtime.InteropServices;

namespace Streaming.Model.Fused;

/// <summary>The scalars of a step in device memory, as the kernels' <c>StepScalars</c> lays them out and explains them.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct StepScalars
{
    public float LossScale, LossWeight, LearningRate, FirstCorrection, SecondCorrection, MaximumNorm;
    public uint Step;
    public float Loss, Norm, GradientFactor, Finite, GoodSteps;

    /// <summary>Room in device memory.</summary>
    public const int Bytes = 64;

    public const int LossWeightOffset = 4, LossOffset = 28, GoodStepsOffset = 44;
}
