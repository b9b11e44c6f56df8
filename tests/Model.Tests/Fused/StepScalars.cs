using System.Runtime.InteropServices;

namespace Streaming.Model.Tests.Fused;

/// <summary>The kernels' <c>StepScalars</c>, field for field.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct StepScalars
{
    public float LossScale, LossWeight, LearningRate, FirstCorrection, SecondCorrection, InverseLossScale, MaximumNorm;
    public float Loss, Norm, GradientFactor, Finite;
}
