using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Streaming.Model.Generation;

/// <summary>Sums and searches over a vocabulary's scores.</summary>
public static class Probabilities
{
    private const int Lanes = 8;

    /// <summary>Index of the highest score, the first where several are equal; a score that is no number is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int ArgMax(ReadOnlySpan<float> scores)
    {
        var highest = Max(scores);
        var index = scores.IndexOf(highest);
        return Math.Max(index, 0);
    }

    /// <summary>The highest score; negative infinity where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Max(ReadOnlySpan<float> scores)
    {
        var best = Vector256.Create(float.NegativeInfinity);
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        foreach (var vector in vectors)
            best = Vector256.ConditionalSelect(Vector256.GreaterThan(vector, best), vector, best);
        var highest = float.NegativeInfinity;
        for (var lane = 0; lane < Lanes; lane++)
            highest = best[lane] > highest ? best[lane] : highest;
        foreach (var score in scores[(vectors.Length * Lanes)..])
            highest = score > highest ? score : highest;
        return highest;
    }

    /// <summary>Natural logarithm of the sum of the scores' exponentials: a score less this is its log probability.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float LogSumExp(ReadOnlySpan<float> scores)
    {
        var highest = Max(scores);
        if (float.IsInfinity(highest))
            return highest;
        // Sums of eight lanes each, joined in double: float32 would lose the tail of a large vocabulary.
        var sums = Vector256<float>.Zero;
        var shift = Vector256.Create(highest);
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        double total = 0;
        for (var i = 0; i < vectors.Length; i++)
        {
            sums += Vector256.Exp(vectors[i] - shift);
            if ((i & 255) == 255)
            {
                total += Vector256.Sum(sums);
                sums = Vector256<float>.Zero;
            }
        }
        total += Vector256.Sum(sums);
        foreach (var score in scores[(vectors.Length * Lanes)..])
            total += MathF.Exp(score - highest);
        return highest + (float)Math.Log(total);
    }

    /// <summary>Turns logits into log probabilities, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LogSoftmax(Span<float> logits)
    {
        var total = Vector256.Create(LogSumExp(logits));
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(logits);
        foreach (ref var vector in vectors)
            vector -= total;
        foreach (ref var logit in logits[(vectors.Length * Lanes)..])
            logit -= total[0];
    }

    /// <summary>The <paramref name="ids"/>.Length highest scores, highest first, the lower id first where they are equal.</summary>
    /// <returns>How many there are: fewer where not as many scores are above negative infinity.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static int Highest(ReadOnlySpan<float> scores, Span<int> ids, Span<float> values)
    {
        var count = 0;
        var bound = float.NegativeInfinity;
        for (var i = 0; i < scores.Length;)
        {
            if (i + Lanes <= scores.Length && !Vector256.GreaterThanAny(Vector256.Create(scores[i..]), Vector256.Create(bound)))
            {
                i += Lanes;
                continue;
            }
            for (var end = Math.Min(i + Lanes, scores.Length); i < end; i++)
            {
                if (!(scores[i] > bound))
                    continue;
                var at = count < ids.Length ? count++ : count - 1;
                for (; at > 0 && values[at - 1] < scores[i]; at--)
                    (ids[at], values[at]) = (ids[at - 1], values[at - 1]);
                (ids[at], values[at]) = (i, scores[i]);
                if (count == ids.Length)
                    bound = values[count - 1];
            }
        }
        return count;
    }
}
