using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Streaming.Model.Generation.Host;

// Shapes: C positions in the cache, H head width.

/// <summary>Attention of one query over remembered keys and values, in float32.</summary>
internal static unsafe class HostAttention
{
    private const int Lanes = 8;

    /// <summary>Turns a head by its position (rotate_half: the first half pairs with the second).</summary>
    /// <param name="head">(H), in place.</param>
    /// <param name="cosines">(H / 2) of this position.</param>
    /// <param name="sines">(H / 2)</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* head, int width, float* cosines, float* sines)
    {
        var half = width / 2;
        for (var i = 0; i < half; i++)
        {
            var (first, second) = (head[i], head[half + i]);
            head[i] = first * cosines[i] - second * sines[i];
            head[half + i] = second * cosines[i] + first * sines[i];
        }
    }

    /// <summary>Mixes the values of positions <paramref name="first"/> to <paramref name="last"/> by their keys' weights.</summary>
    /// <param name="query">(H)</param>
    /// <param name="keys">(C, H)</param>
    /// <param name="values">(C, H)</param>
    /// <param name="scores">Scratch for each position.</param>
    /// <param name="mixed">(H)</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Attend(float* query, float* keys, float* values, int first, int last, int width, float* scores, float* mixed)
    {
        var scale = 1 / MathF.Sqrt(width);
        var highest = float.NegativeInfinity;
        for (var position = first; position <= last; position++)
        {
            var score = scale * Dot(query, keys + (long)position * width, width);
            scores[position - first] = score;
            highest = MathF.Max(highest, score);
        }
        var total = ExpInPlace(scores, last - first + 1, highest);
        new Span<float>(mixed, width).Clear();
        for (var position = first; position <= last; position++)
            AddScaled(mixed, values + (long)position * width, scores[position - first] / total, width);
    }

    /// <summary>Replaces x by exp(x - <paramref name="highest"/>).</summary>
    /// <returns>The sum of the results.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float ExpInPlace(float* x, int count, float highest)
    {
        var sums = Vector256<float>.Zero;
        var shift = Vector256.Create(highest);
        var i = 0;
        for (; i + Lanes <= count; i += Lanes)
        {
            var powers = Vector256.Exp(Vector256.Load(x + i) - shift);
            powers.Store(x + i);
            sums += powers;
        }
        var total = Vector256.Sum(sums);
        for (; i < count; i++)
            total += x[i] = MathF.Exp(x[i] - highest);
        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot(float* a, float* b, int count)
    {
        Vector256<float> low = default, high = default;
        var i = 0;
        for (; i + 2 * Lanes <= count; i += 2 * Lanes)
        {
            low = Vector256.FusedMultiplyAdd(Vector256.Load(a + i), Vector256.Load(b + i), low);
            high = Vector256.FusedMultiplyAdd(Vector256.Load(a + i + Lanes), Vector256.Load(b + i + Lanes), high);
        }
        var sum = Vector256.Sum(low + high);
        for (; i < count; i++)
            sum += a[i] * b[i];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddScaled(float* target, float* source, float scale, int count)
    {
        var factor = Vector256.Create(scale);
        var i = 0;
        for (; i + Lanes <= count; i += Lanes)
            Vector256.FusedMultiplyAdd(Vector256.Load(source + i), factor, Vector256.Load(target + i)).Store(target + i);
        for (; i < count; i++)
            target[i] += source[i] * scale;
    }
}
