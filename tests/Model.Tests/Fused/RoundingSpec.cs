namespace Streaming.Model.Tests.Fused;

/// <summary>What kernels do with float32 results that 16 bits cannot hold, shown by a kernel that adds: a turn whose cosine and sine are one.</summary>
public sealed class RoundingSpec
{
    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Ties_go_to_even(string device)
    {
        // From 256 to 512 bf16 holds even numbers, so that odd ones are ties.
        float[] first = [256, 256, -256, -256, 384, 384, 400, 508];
        float[] second = [1, 3, -1, -3, 1, 3, 1, 3];
        float[] sums = [256, 260, -256, -260, 384, 388, 400, 512];
        Assert.Equal(sums, Sums(device, first, second)[..8].Select(bits => (float)Bf16.ToDouble(bits)));
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void Sums_of_any_two_values_are_the_nearest(string device)
    {
        // All bit patterns, each with one whose exponent is within 16 of its own: denormal, infinite and NaN among them.
        var (half, random) = (KernelDevices.FormatOf(device), new Random(1));
        var (mantissa, largest) = half.IsFloat16 ? (10, 31) : (7, 255);
        var (first, second) = (new float[1 << 16], new float[1 << 16]);
        for (var i = 0; i < first.Length; i++)
        {
            var exponent = Math.Clamp((i >> mantissa & largest) + random.Next(-16, 17), 0, largest);
            first[i] = (float)half.ToDouble((ushort)i);
            second[i] = (float)half.ToDouble((ushort)(random.Next(2) << 15 | exponent << mantissa | random.Next(1 << mantissa)));
        }
        var sums = Sums(device, first, second);
        for (var i = 0; i < first.Length; i++)
        {
            var (sum, expected) = (half.ToDouble(sums[i]), half.ToDouble(half.Nearest(first[i] + second[i])));
            if (!sum.Equals(expected)) Assert.Fail($"{first[i]:g9} + {second[i]:g9} became {sum:g9}, not {expected:g9}");
        }
    }

    private static ushort[] Sums(string device, float[] first, float[] second)
    {
        using var bench = new KernelBench(device);
        var (head, width) = (bench.Shape.HeadSize, bench.Shape.PackedWidth);
        var (half, rows) = (head / 2, (first.Length * 2 + head - 1) / head);
        var packed = new ushort[rows * width]; // one head of a row is used
        for (var i = 0; i < first.Length; i++)
        {
            packed[i / half * width + i % half] = bench.Half.Nearest(second[i]);
            packed[i / half * width + half + i % half] = bench.Half.Nearest(first[i]);
        }
        var ones = bench.Upload(Enumerable.Repeat(1f, half).ToArray());
        var turned = bench.Upload(packed);
        bench.LaunchThreads("rotary_forward", rows * (bench.Shape.Heads + bench.Shape.KeyValueHeads), turned, ones, ones, rows, 1);
        var result = turned.Download();
        return [.. Enumerable.Range(0, first.Length).Select(i => result[i / half * width + half + i % half])];
    }
}
