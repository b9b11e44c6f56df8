using System.Runtime.InteropServices;

namespace Streaming.Model.Fused;

/// <summary>The scalars of a step in device memory, as the kernels' <c>StepScalars</c> lays them out and explains them.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct StepScalars
{
    public float LossScale, LossWeight, LearningRate, FirstCorrection, SecondCorrection, MaximumNorm, Loss, Norm, GradientFactor, Finite, GoodSteps;

    /// <summary>Room in device memory.</summary>
    public const int Bytes = 64;

    public const int LossWeightOffset = 4, LossOffset = 24, GoodStepsOffset = 40;

    /// <summary>What the host writes before each update, from <see cref="LearningRate"/> to <see cref="MaximumNorm"/>.</summary>
    public const int UpdateOffset = 8, UpdateBytes = 16;
}
