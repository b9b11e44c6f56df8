using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Streaming.Model.Generation.Host;

/// <summary>Element-wise parts of a layer, in float32.</summary>
internal static class HostVectors
{
    private const int Lanes = 8;

    /// <summary>RMSNorm (Zhang and Sennrich 2019) of one token.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> normed)
    {
        var squares = Vector256<float>.Zero;
        var i = 0;
        for (; i + Lanes <= x.Length; i += Lanes)
        {
            var values = Vector256.Create(x[i..]);
            squares = Vector256.FusedMultiplyAdd(values, values, squares);
        }
        var sum = Vector256.Sum(squares);
        for (; i < x.Length; i++)
            sum += x[i] * x[i];
        var scale = 1 / MathF.Sqrt(sum / x.Length + epsilon);
        for (i = 0; i + Lanes <= x.Length; i += Lanes)
            (Vector256.Create(x[i..]) * scale * Vector256.Create(weight[i..])).CopyTo(normed[i..]);
        for (; i < x.Length; i++)
            normed[i] = x[i] * scale * weight[i];
    }

    /// <summary>Adds a multiple of one vector to another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(Span<float> x, ReadOnlySpan<float> summand, float factor)
    {
        var i = 0;
        for (; i + Lanes <= x.Length; i += Lanes)
            Vector256.FusedMultiplyAdd(Vector256.Create(summand[i..]), Vector256.Create(factor), Vector256.Create<float>(x[i..])).CopyTo(x[i..]);
        for (; i < x.Length; i++)
            x[i] += summand[i] * factor;
    }

    /// <summary><c>silu(gate) · up</c> in place of the gate.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SwiGlu(Span<float> gate, ReadOnlySpan<float> up)
    {
        var i = 0;
        for (; i + Lanes <= gate.Length; i += Lanes)
        {
            var values = Vector256.Create<float>(gate[i..]);
            (values / (Vector256<float>.One + Vector256.Exp(-values)) * Vector256.Create(up[i..])).CopyTo(gate[i..]);
        }
        for (; i < gate.Length; i++)
            gate[i] = gate[i] / (1 + MathF.Exp(-gate[i])) * up[i];
    }
}
