using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Streaming.Model.Generation;

/// <summary>
/// Sums and searches over a vocabulary's scores. Compiled to the full at once: a short text is over before the runtime
/// would find out that these loops are hot.
/// </summary>
public static class Probabilities
{
    private const int Lanes = 8;

    // Sums of eight lanes are joined in double after so many vectors: float32 would lose the tail of a large vocabulary.
    private const int VectorsInSum = 64;

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
        var (best, other) = (Vector256.Create(float.NegativeInfinity), Vector256.Create(float.NegativeInfinity));
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        var i = 0;
        for (; i + 1 < vectors.Length; i += 2)
        {
            best = Vector256.ConditionalSelect(Vector256.GreaterThan(vectors[i], best), vectors[i], best);
            other = Vector256.ConditionalSelect(Vector256.GreaterThan(vectors[i + 1], other), vectors[i + 1], other);
        }
        best = Vector256.ConditionalSelect(Vector256.GreaterThan(other, best), other, best);
        var highest = float.NegativeInfinity;
        for (var lane = 0; lane < Lanes; lane++)
            highest = best[lane] > highest ? best[lane] : highest;
        foreach (var score in scores[(i * Lanes)..])
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
        var shift = Vector256.Create(highest);
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        double total = 0;
        for (var i = 0; i < vectors.Length;)
        {
            var sums = Vector256<float>.Zero;
            for (var end = Math.Min(i + VectorsInSum, vectors.Length); i < end; i++)
                sums += Exponential(vectors[i] - shift);
            total += Vector256.Sum(sums);
        }
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

    /// <summary>Multiplies each score.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static void Scale(Span<float> scores, float factor)
    {
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        foreach (ref var vector in vectors)
            vector *= factor;
        foreach (ref var score in scores[(vectors.Length * Lanes)..])
            score *= factor;
    }

    /// <summary>The exponentials of scores, none of which is above the highest, relative to that of the highest.</summary>
    /// <returns>Their sum.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static double Weigh(ReadOnlySpan<float> scores, float highest, Span<float> weights)
    {
        var shift = Vector256.Create(highest);
        var from = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        var to = MemoryMarshal.Cast<float, Vector256<float>>(weights[..scores.Length]);
        for (var i = 0; i < from.Length; i++)
            to[i] = Exponential(from[i] - shift);
        for (var i = from.Length * Lanes; i < scores.Length; i++)
            weights[i] = MathF.Exp(scores[i] - highest);
        return Sum(weights[..scores.Length]);
    }

    /// <summary>The sum of weights.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static double Sum(ReadOnlySpan<float> weights)
    {
        var vectors = MemoryMarshal.Cast<float, Vector256<float>>(weights);
        double total = 0;
        for (var i = 0; i < vectors.Length;)
        {
            var sums = Vector256<float>.Zero;
            for (var end = Math.Min(i + VectorsInSum, vectors.Length); i < end; i++)
                sums += vectors[i];
            total += Vector256.Sum(sums);
        }
        foreach (var weight in weights[(vectors.Length * Lanes)..])
            total += weight;
        return total;
    }

    /// <summary>The sum of the weights whose scores are no less than a bound.</summary>
    /// <param name="count">How many those are.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static double SumAtLeast(ReadOnlySpan<float> scores, ReadOnlySpan<float> weights, float bound, out int count)
    {
        var limit = Vector256.Create(bound);
        var from = MemoryMarshal.Cast<float, Vector256<float>>(scores);
        var weighed = MemoryMarshal.Cast<float, Vector256<float>>(weights);
        var counts = Vector256<int>.Zero;
        double total = 0;
        for (var i = 0; i < from.Length;)
        {
            var sums = Vector256<float>.Zero;
            for (var end = Math.Min(i + VectorsInSum, from.Length); i < end; i++)
            {
                var isAbove = Vector256.GreaterThanOrEqual(from[i], limit);
                sums += weighed[i] & isAbove;
                counts -= isAbove.AsInt32(); // all bits set are minus one
            }
            total += Vector256.Sum(sums);
        }
        count = Vector256.Sum(counts);
        for (var i = from.Length * Lanes; i < scores.Length; i++)
        {
            if (scores[i] < bound)
                continue;
            total += weights[i];
            count++;
        }
        return total;
    }

    /// <summary>The scores that are no less than a bound, with their indices, in order; a score that is no number is none of them.</summary>
    /// <returns>How many there are.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static int AtLeast(ReadOnlySpan<float> scores, float bound, Span<int> ids, Span<float> values)
    {
        var limit = Vector256.Create(bound);
        var count = 0;
        for (var i = 0; i < scores.Length;)
        {
            if (i + Lanes <= scores.Length)
            {
                var vector = Vector256.Create(scores[i..]);
                if (!Vector256.GreaterThanOrEqualAny(vector, limit))
                {
                    i += Lanes;
                    continue;
                }
                if (Vector256.GreaterThanOrEqualAll(vector, limit))
                {
                    vector.CopyTo(values[count..]);
                    (Vector256.CreateSequence(0, 1) + Vector256.Create(i)).CopyTo(ids[count..]);
                    (i, count) = (i + Lanes, count + Lanes);
                    continue;
                }
            }
            for (var end = Math.Min(i + Lanes, scores.Length); i < end; i++)
            {
                if (scores[i] >= bound)
                    (ids[count], values[count++]) = (i, scores[i]);
            }
        }
        return count;
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

    /// <summary>
    /// Exponentials of numbers up to 0, to two units in the last place: by the power of two and a polynomial over what is left
    /// (S. L. Moshier, Cephes, expf). What is smaller than float32's normal numbers is 0.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Exponential(Vector256<float> x)
    {
        const float smallest = -87.3f, log2E = 1.44269504f, ln2High = 0.693359375f, ln2Low = -2.12194440e-4f;
        var isNone = Vector256.LessThan(x, Vector256.Create(smallest));
        var power = Vector256.Round(x * log2E);
        var rest = Vector256.FusedMultiplyAdd(power, Vector256.Create(-ln2High), x);
        rest = Vector256.FusedMultiplyAdd(power, Vector256.Create(-ln2Low), rest);
        var sum = Vector256.FusedMultiplyAdd(Vector256.Create(1.9875691500e-4f), rest, Vector256.Create(1.3981999507e-3f));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(8.3334519073e-3f));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(4.1665795894e-2f));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(1.6666665459e-1f));
        sum = Vector256.FusedMultiplyAdd(sum, rest, Vector256.Create(5.0000001201e-1f));
        sum = Vector256.FusedMultiplyAdd(sum, rest * rest, rest) + Vector256<float>.One;
        var scaled = (sum.AsInt32() + (Vector256.ConvertToInt32Native(power) << 23)).AsSingle();
        return Vector256.AndNot(scaled, isNone);
    }
}
