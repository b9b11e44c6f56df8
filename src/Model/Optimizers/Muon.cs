using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Model.Optimizers;

/// <summary>
/// Muon (Jordan et al. 2024), operation by operation as PyTorch's <c>torch.optim.Muon</c> with <c>match_rms_adamw</c>: a matrix goes
/// down by its Nesterov momentum, made orthogonal by Newton-Schulz iterations in bf16, and decays as with AdamW.
/// </summary>
internal static class Muon
{
    public const float Momentum = 0.95f;
    public const int Iterations = 5;

    /// <summary>a X + b (X X^T) X + c (X X^T)^2 X: steep at zero rather than exact, singular values end between about 0.7 and 1.2.</summary>
    public static (float Linear, float Cubic, float Quintic) Coefficients => (3.4445f, -4.7750f, 2.0315f);

    /// <summary>
    /// What the step's learning rate is multiplied by for a matrix: 0.2 sqrt(max(rows, columns)) makes the update's root mean square 0.2, about
    /// that of AdamW's updates (Liu et al. 2025), so that one learning rate and one decay serve both.
    /// </summary>
    public static float RateFactor(long rows, long columns) => 0.2f * MathF.Sqrt(Math.Max(rows, columns));

    /// <summary>Updates one matrix; <see cref="OptimizedParameter.FirstMoment"/> is its momentum.</summary>
    /// <param name="parameter">The matrix.</param>
    /// <param name="learningRate">The step's learning rate.</param>
    /// <param name="weightDecay">Decoupled decay.</param>
    public static void Step(OptimizedParameter parameter, double learningRate, double weightDecay)
    {
        using var temporaries = NewDisposeScope();
        using var gradientOff = no_grad();
        using Scalar kept = (1 - learningRate * weightDecay).ToScalar(), share = (1 - (double)Momentum).ToScalar(), momentum = ((double)Momentum).ToScalar();
        using var stepSize = (-learningRate * RateFactor(parameter.Weight.shape[0], parameter.Weight.shape[1])).ToScalar();
        parameter.FirstMoment.mul_(momentum).add_(parameter.Gradient, share);
        var direction = parameter.Gradient.mul(share).add_(parameter.FirstMoment, momentum);
        var update = Orthogonalize(direction);
        parameter.Weight.mul_(kept);
        parameter.Weight.add_(update, stepSize);
        GC.KeepAlive(parameter);
    }

    /// <summary>A float32 matrix with the singular vectors of <paramref name="matrix"/> and singular values near 1.</summary>
    public static Tensor Orthogonalize(Tensor matrix)
    {
        using var temporaries = NewDisposeScope();
        var tall = matrix.shape[0] > matrix.shape[1];
        var (linear, cubic, quintic) = Coefficients;
        using var least = 1e-7.ToScalar();
        var norm = matrix.norm().clamp_(least);
        var x = matrix.div(norm).to(ScalarType.BFloat16);
        if (tall) x = x.t();
        for (var i = 0; i < Iterations; i++)
        {
            var gram = x.matmul(x.t());
            var polynomial = addmm(gram, gram, gram, cubic, quintic);
            x = addmm(x, polynomial, x, linear, 1);
        }
        if (tall) x = x.t();
        return x.to(ScalarType.Float32).MoveToOuterDisposeScope();
    }
}
