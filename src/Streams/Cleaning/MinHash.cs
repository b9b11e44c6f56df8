using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// MinHash signatures of texts (Broder 1997) in bands (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", 3.4): a
/// text is the set of its runs of five characters; the least value of each of <c>bands x rows</c> hash functions over the set
/// is the same for two texts with the probability of their Jaccard index s. A band's key joins the values of its rows, so two
/// texts share at least one key with the probability 1 - (1 - s^rows)^bands. With 14 bands of 8 rows: 0.05 at s = 0.5,
/// 0.21 at 0.6, 0.56 at 0.7, 0.92 at 0.8, 0.9996 at 0.9. Not thread-safe; allocates nothing after it is made.
/// </summary>
public sealed class MinHash
{
    /// <summary>Characters of a run.</summary>
    public const int RunLength = 5;

    private const int MostRows = 64;
    private const int FunctionsAtOnce = 32; // four registers of eight
    private const int RunsAtOnce = 512;

    private readonly uint[] _factors, _addends, _least;
    private readonly uint[] _runs = new uint[RunsAtOnce];

    public MinHash(int bands, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bands);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rows);
        (Bands, Rows) = (bands, rows);
        var functions = (bands * rows + FunctionsAtOnce - 1) / FunctionsAtOnce * FunctionsAtOnce;
        (_factors, _addends, _least) = (new uint[functions], new uint[functions], new uint[functions]);
        for (var function = 0; function < functions; function++)
        {
            var drawn = Fingerprint.Combine((ulong)function, 0x5851F42D4C957F2D);
            (_factors[function], _addends[function]) = ((uint)drawn | 1, (uint)(drawn >> 32));
        }
    }

    /// <summary>Keys of a text.</summary>
    public int Bands { get; }

    /// <summary>Hash functions in each.</summary>
    public int Rows { get; }

    /// <summary>The most rows with which so many bands find a pair of that similarity with at least 90 %.</summary>
    public static MinHash For(double similarity, int bands)
    {
        var rows = 1;
        while (rows < MostRows && Probability(similarity, bands, rows + 1) >= 0.9)
            rows++;
        return new MinHash(bands, rows);
    }

    /// <summary>How probably two texts of that Jaccard index share a key: 1 - (1 - s^rows)^bands.</summary>
    public static double Probability(double similarity, int bands, int rows) => 1 - Math.Pow(1 - Math.Pow(similarity, rows), bands);

    /// <summary>The text's keys, one a band; the same key of two bands differs. A text shorter than a run is one run.</summary>
    /// <param name="text">Folded as <see cref="DocumentHasher"/> does.</param>
    /// <param name="keys">Receives <see cref="Bands"/> keys.</param>
    public void Hash(ReadOnlySpan<char> text, Span<ulong> keys)
    {
        _least.AsSpan().Fill(uint.MaxValue);
        if (text.Length < RunLength)
        {
            _runs[0] = (uint)Fingerprint.OfText(text);
            Lower(1);
        }
        for (var start = 0; start + RunLength <= text.Length; start += RunsAtOnce)
            Lower(HashRuns(text[start..]));
        for (var band = 0; band < Bands; band++)
        {
            var key = (ulong)band;
            foreach (var value in _least.AsSpan(band * Rows, Rows))
                key = Fingerprint.Combine(key, value);
            keys[band] = key;
        }
    }

    /// <summary>One value for each run that begins in the text's first <see cref="RunsAtOnce"/> characters.</summary>
    private int HashRuns(ReadOnlySpan<char> text)
    {
        var count = Math.Min(RunsAtOnce, text.Length - RunLength + 1);
        ref var bytes = ref Unsafe.As<char, byte>(ref MemoryMarshal.GetReference(text));
        ref var runs = ref MemoryMarshal.GetArrayDataReference(_runs);
        for (nint index = 0; index < count; index++)
        {
            var first = Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref bytes, index * sizeof(char)));
            var fifth = (ulong)Unsafe.ReadUnaligned<ushort>(ref Unsafe.Add(ref bytes, (index + 4) * sizeof(char)));
            var mixed = (first ^ BitOperations.RotateLeft(fifth * 0xE7037ED1A0B428DB, 29)) * 0x9E3779B97F4A7C15;
            Unsafe.Add(ref runs, index) = (uint)((mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9 >> 32);
        }
        return count;
    }

    /// <summary>Lowers each function's least value by the values of the runs.</summary>
    private void Lower(int count)
    {
        var runs = _runs.AsSpan(0, count);
        for (var function = 0; function < _least.Length; function += FunctionsAtOnce)
        {
            ref var factors = ref _factors[function];
            ref var addends = ref _addends[function];
            ref var least = ref _least[function];
            var (factor0, factor1, factor2, factor3) = Load(ref factors);
            var (addend0, addend1, addend2, addend3) = Load(ref addends);
            var (least0, least1, least2, least3) = Load(ref least);
            foreach (var run in runs)
            {
                var value = Vector256.Create(run);
                least0 = Vector256.Min(least0, value * factor0 + addend0);
                least1 = Vector256.Min(least1, value * factor1 + addend1);
                least2 = Vector256.Min(least2, value * factor2 + addend2);
                least3 = Vector256.Min(least3, value * factor3 + addend3);
            }
            least0.StoreUnsafe(ref least);
            least1.StoreUnsafe(ref least, 8);
            least2.StoreUnsafe(ref least, 16);
            least3.StoreUnsafe(ref least, 24);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<uint>, Vector256<uint>, Vector256<uint>, Vector256<uint>) Load(ref uint source) =>
        (Vector256.LoadUnsafe(ref source), Vector256.LoadUnsafe(ref source, 8), Vector256.LoadUnsafe(ref source, 16), Vector256.LoadUnsafe(ref source, 24));
}
