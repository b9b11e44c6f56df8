using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Generation.Host;

// Shapes: T tokens, D inputs, O outputs.

/// <summary>
/// Matrix products on the processor, float32 sums over float32 or bf16 weights. A row of weights is read from memory once
/// for all tokens of a pass: with few tokens, that read is what takes the time.
/// </summary>
internal static unsafe class HostProducts
{
    private const int Lanes = 8; // floats in a Vector256

    /// <summary>Rows whose weights stay in the cache while the tokens pass.</summary>
    private const int BlockRows = 8;

    /// <summary><c>y = x Wᵀ</c> for some outputs.</summary>
    /// <param name="weights">(O, D)</param>
    /// <param name="begin">First output.</param>
    /// <param name="end">One past the last.</param>
    /// <param name="x">(T, D)</param>
    /// <param name="tokens">T</param>
    /// <param name="y">(T, <paramref name="yStride"/>), of which the outputs are the first columns.</param>
    /// <param name="add">Adds to what is there.</param>
    public static void Multiply(HostMatrix weights, int begin, int end, float* x, int tokens, float* y, int yStride, bool add)
    {
        if (weights.Type == TensorType.F32)
            Multiply<Single32>(weights, begin, end, x, tokens, y, yStride, add);
        else
            Multiply<Brain16>(weights, begin, end, x, tokens, y, yStride, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TElement>(HostMatrix weights, int begin, int end, float* x, int tokens, float* y, int yStride, bool add)
        where TElement : struct, IElement
    {
        var width = weights.Columns;
        for (var block = begin; block < end; block += BlockRows)
        {
            var blockEnd = Math.Min(block + BlockRows, end);
            var token = 0;
            for (; token + 4 <= tokens; token += 4)
            {
                float* from = x + (long)token * width, to = y + (long)token * yStride;
                var row = block;
                for (; row + 2 <= blockEnd; row += 2)
                    TwoRowsFourTokens<TElement>(weights.Row(row), weights.Row(row + 1), from, width, to + row, yStride, add);
                for (; row < blockEnd; row++)
                {
                    for (var i = 0; i < 4; i++)
                        Put(to + (long)i * yStride + row, Dot<TElement>(weights.Row(row), from + (long)i * width, width), add);
                }
            }
            for (; token < tokens; token++)
            {
                float* from = x + (long)token * width, to = y + (long)token * yStride;
                var row = block;
                for (; row + 4 <= blockEnd; row += 4)
                    FourRows<TElement>(weights, row, from, width, to + row, add);
                for (; row < blockEnd; row++)
                    Put(to + row, Dot<TElement>(weights.Row(row), from, width), add);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoRowsFourTokens<TElement>(byte* one, byte* two, float* x, int width, float* y, int yStride, bool add)
        where TElement : struct, IElement
    {
        Vector256<float> a0 = default, a1 = default, a2 = default, a3 = default, b0 = default, b1 = default, b2 = default, b3 = default;
        var i = 0;
        for (; i + Lanes <= width; i += Lanes)
        {
            var (first, second) = (TElement.Load(one, i), TElement.Load(two, i));
            var values = Vector256.Load(x + i);
            a0 = Vector256.FusedMultiplyAdd(first, values, a0);
            b0 = Vector256.FusedMultiplyAdd(second, values, b0);
            values = Vector256.Load(x + width + i);
            a1 = Vector256.FusedMultiplyAdd(first, values, a1);
            b1 = Vector256.FusedMultiplyAdd(second, values, b1);
            values = Vector256.Load(x + 2L * width + i);
            a2 = Vector256.FusedMultiplyAdd(first, values, a2);
            b2 = Vector256.FusedMultiplyAdd(second, values, b2);
            values = Vector256.Load(x + 3L * width + i);
            a3 = Vector256.FusedMultiplyAdd(first, values, a3);
            b3 = Vector256.FusedMultiplyAdd(second, values, b3);
        }
        Put(y, Vector256.Sum(a0) + Rest<TElement>(one, x, i, width), add);
        Put(y + 1, Vector256.Sum(b0) + Rest<TElement>(two, x, i, width), add);
        Put(y + yStride, Vector256.Sum(a1) + Rest<TElement>(one, x + width, i, width), add);
        Put(y + yStride + 1, Vector256.Sum(b1) + Rest<TElement>(two, x + width, i, width), add);
        Put(y + 2L * yStride, Vector256.Sum(a2) + Rest<TElement>(one, x + 2L * width, i, width), add);
        Put(y + 2L * yStride + 1, Vector256.Sum(b2) + Rest<TElement>(two, x + 2L * width, i, width), add);
        Put(y + 3L * yStride, Vector256.Sum(a3) + Rest<TElement>(one, x + 3L * width, i, width), add);
        Put(y + 3L * yStride + 1, Vector256.Sum(b3) + Rest<TElement>(two, x + 3L * width, i, width), add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourRows<TElement>(HostMatrix weights, int row, float* x, int width, float* y, bool add)
        where TElement : struct, IElement
    {
        byte* one = weights.Row(row), two = weights.Row(row + 1), three = weights.Row(row + 2), four = weights.Row(row + 3);
        Vector256<float> a = default, b = default, c = default, d = default, e = default, f = default, g = default, h = default;
        var ahead = four + (four - three);
        var i = 0;
        for (; i + 2 * Lanes <= width; i += 2 * Lanes)
        {
            Prefetch(ahead, four - three, i * TElement.Bytes);
            var (low, high) = (Vector256.Load(x + i), Vector256.Load(x + i + Lanes));
            a = Vector256.FusedMultiplyAdd(TElement.Load(one, i), low, a);
            b = Vector256.FusedMultiplyAdd(TElement.Load(two, i), low, b);
            c = Vector256.FusedMultiplyAdd(TElement.Load(three, i), low, c);
            d = Vector256.FusedMultiplyAdd(TElement.Load(four, i), low, d);
            e = Vector256.FusedMultiplyAdd(TElement.Load(one, i + Lanes), high, e);
            f = Vector256.FusedMultiplyAdd(TElement.Load(two, i + Lanes), high, f);
            g = Vector256.FusedMultiplyAdd(TElement.Load(three, i + Lanes), high, g);
            h = Vector256.FusedMultiplyAdd(TElement.Load(four, i + Lanes), high, h);
        }
        Put(y, Vector256.Sum(a + e) + Rest<TElement>(one, x, i, width), add);
        Put(y + 1, Vector256.Sum(b + f) + Rest<TElement>(two, x, i, width), add);
        Put(y + 2, Vector256.Sum(c + g) + Rest<TElement>(three, x, i, width), add);
        Put(y + 3, Vector256.Sum(d + h) + Rest<TElement>(four, x, i, width), add);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Dot<TElement>(byte* row, float* x, int width)
        where TElement : struct, IElement
    {
        Vector256<float> a = default, b = default;
        var i = 0;
        for (; i + 2 * Lanes <= width; i += 2 * Lanes)
        {
            a = Vector256.FusedMultiplyAdd(TElement.Load(row, i), Vector256.Load(x + i), a);
            b = Vector256.FusedMultiplyAdd(TElement.Load(row, i + Lanes), Vector256.Load(x + i + Lanes), b);
        }
        return Vector256.Sum(a + b) + Rest<TElement>(row, x, i, width);
    }

    private static float Rest<TElement>(byte* row, float* x, int from, int width)
        where TElement : struct, IElement
    {
        float sum = 0;
        for (var i = from; i < width; i++)
            sum += TElement.One(row, i) * x[i];
        return sum;
    }

    /// <summary>
    /// Asks for what the next four rows hold in the same place: a row is about a page of memory, at whose end the processor's own
    /// prefetching stops.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* rows, long pitch, long offset)
    {
        if (!Sse.IsSupported)
            return;
        Sse.Prefetch0(rows + offset);
        Sse.Prefetch0(rows + offset + pitch);
        Sse.Prefetch0(rows + offset + 2 * pitch);
        Sse.Prefetch0(rows + offset + 3 * pitch);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* target, float value, bool add) => *target = add ? *target + value : value;

    /// <summary>How weights are stored.</summary>
    private interface IElement
    {
        static abstract long Bytes { get; }

        static abstract Vector256<float> Load(byte* row, int index);

        static abstract float One(byte* row, int index);
    }

    private readonly struct Single32 : IElement
    {
        public static long Bytes => sizeof(float);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(byte* row, int index) => Vector256.Load((float*)row + index);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float One(byte* row, int index) => ((float*)row)[index];
    }

    private readonly struct Brain16 : IElement
    {
        public static long Bytes => sizeof(ushort);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector256<float> Load(byte* row, int index)
        {
            var (low, high) = Vector128.Widen(Vector128.Load((ushort*)row + index));
            return (Vector256.Create(low, high) << 16).AsSingle();
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static float One(byte* row, int index) => Elements.FromBFloat16(((ushort*)row)[index]);
    }
}
