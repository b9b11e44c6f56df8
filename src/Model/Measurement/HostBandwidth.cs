using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Streaming.Model.Generation.Host;

namespace Streaming.Model.Measurement;

/// <summary>How fast this machine's threads read memory: what bounds a decoder that reads its weights once a token.</summary>
public static unsafe class HostBandwidth
{
    private const int Chunk = 1 << 16; // bytes a thread reads at a time

    /// <summary>Bytes a second, the best of a few passes over memory that no cache holds.</summary>
    /// <param name="bytes">How much is read in a pass.</param>
    /// <param name="threads">Threads that read; 0 takes one for each core.</param>
    public static double Measure(long bytes = 1L << 30, int threads = 0)
    {
        using var gang = new WorkerGang(threads > 0 ? threads : Environment.ProcessorCount, WorkerGang.ShortWatch);
        var memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 4096);
        try
        {
            var chunks = (int)(bytes / Chunk);
            gang.Run(chunks, 16, (_, begin, end) => new Span<byte>(memory + (long)begin * Chunk, (end - begin) * Chunk).Fill(1));
            var best = double.PositiveInfinity;
            long sum = 0;
            for (var pass = 0; pass < 5; pass++)
            {
                var began = Stopwatch.GetTimestamp();
                gang.Run(chunks, 16, (_, begin, end) => Interlocked.Add(ref sum, Sum(memory + (long)begin * Chunk, (long)(end - begin) * Chunk)));
                best = Math.Min(best, Stopwatch.GetElapsedTime(began).TotalSeconds);
            }
            GC.KeepAlive(sum);
            return chunks * (double)Chunk / best;
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Sum(byte* data, long bytes)
    {
        Vector256<long> a = default, b = default, c = default, d = default;
        for (long i = 0; i < bytes; i += 128)
        {
            a += Vector256.Load((long*)(data + i));
            b += Vector256.Load((long*)(data + i + 32));
            c += Vector256.Load((long*)(data + i + 64));
            d += Vector256.Load((long*)(data + i + 96));
        }
        return Vector256.Sum(a + b + c + d);
    }
}
