namespace Streaming.Model.Tests.Fused;

public sealed class MasterWeightSpec
{
    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Splitting_and_joining_is_exact_for_every_bit_pattern(string device)
    {
        using var bench = new KernelBench(device);
        var weights = BitPatterns(bench.Random);
        var (high, low) = (bench.Allocate<ushort>(weights.Length), bench.Allocate<short>(weights.Length));
        var joined = bench.Allocate<float>(weights.Length);

        bench.Launch("split_weights", 7, 256, high, low, bench.Upload(weights), (ulong)weights.Length);
        bench.Launch("join_weights", 7, 256, joined, high, low, (ulong)weights.Length);

        // By bits: infinities and NaN come back too. A NaN's high half alone may be another value, so no test here reads it.
        SameBits(weights, joined.Download());
        Assert.Equal(Halves.Of(weights).High, high.Download()); // what the host splits, the kernel joins, and the other way round
        Assert.Equal(Halves.Of(weights).Low, low.Download());
        var halves = high.Download();
        SameBits(weights, Halves.Join(halves, low.Download()));
        for (var i = 0; i < weights.Length; i++)
        {
            if (float.IsNaN(weights[i])) continue;
            var tie = (BitConverter.SingleToUInt32Bits(weights[i]) & 0xffff) == 0x8000;
            // Ties go away from zero instead of to even: as near, so the products lose nothing by it.
            var nearest = tie ? (ushort)((BitConverter.SingleToUInt32Bits(weights[i]) >> 16) + 1) : Bf16.Nearest(weights[i]);
            if (halves[i] != nearest) Assert.Fail($"the high half of {weights[i]:g9} is {halves[i]:x4}, the nearest bf16 {nearest:x4}");
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFloat16), MemberType = typeof(KernelDevices))]
    public void Beside_fp16_the_whole_weight_is_kept(string device)
    {
        using var bench = new KernelBench(device);
        var weights = BitPatterns(bench.Random);
        var (high, low, joined) = (bench.Allocate<ushort>(weights.Length), bench.Allocate<float>(weights.Length), bench.Allocate<float>(weights.Length));

        bench.Launch("split_weights", 7, 256, high, low, bench.Upload(weights), (ulong)weights.Length);
        bench.Launch("join_weights", 7, 256, joined, high, low, (ulong)weights.Length);

        SameBits(weights, joined.Download());
        Assert.Equal(weights.Select(weight => bench.Half.ToDouble(bench.Half.Nearest(weight))), high.Download().Select(bench.Half.ToDouble));
    }

    private static void SameBits(float[] expected, float[] actual)
    {
        for (var i = 0; i < expected.Length; i++)
            if (BitConverter.SingleToUInt32Bits(expected[i]) != BitConverter.SingleToUInt32Bits(actual[i])) Assert.Fail($"{expected[i]:r} came back as {actual[i]:r}");
    }

    /// <summary>Every sign, exponent and upper mantissa, each with the lower mantissas where rounding changes and some at random.</summary>
    private static float[] BitPatterns(Random random)
    {
        uint[] edges = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        var patterns = new List<float>();
        for (uint upper = 0; upper < 1 << 16; upper++)
            foreach (var lower in (uint[])[edges[upper % 6], edges[random.Next(6)], (uint)random.Next(1 << 16)])
                patterns.Add(BitConverter.UInt32BitsToSingle(upper << 16 | lower));
        return [.. patterns];
    }
}
