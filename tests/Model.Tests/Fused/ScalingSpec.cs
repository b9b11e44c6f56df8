namespace Streaming.Model.Tests.Fused;

public sealed class ScalingSpec
{
    private const int History = 16;

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Every_bf16_value_becomes_the_nearest_of_8_bits(string device)
    {
        using var bench = new KernelBench(device);
        var values = Enumerable.Range(0, 1 << 16).Select(i => (ushort)i).ToArray();
        Expected[] expected = [.. Bf16.ToDoubles(values).Select(value => (Expected)value)];
        foreach (var scale in new[] { 1f, 0.75f, 1000f })
        {
            var (straight, transposed) = (bench.Allocate<byte>(values.Length), bench.Allocate<byte>(values.Length));
            bench.Launch("weight_to_e4m3", new Extent(4, 4), new Extent(32, 8), straight, transposed, bench.Upload(values), bench.Upload([Scaling.Of(scale)]), 256, 256);
            Exact(Float8.E4M3, values, scale, straight.Download());

            // As values, which are packed without a turn, they go through the gradients' rounding.
            var (model, rows) = (bench.Shape, values.Length / bench.Shape.KeyValueWidth);
            var zeros = bench.Upload(new ushort[rows * model.QueryWidth]);
            var ones = bench.Upload(Enumerable.Repeat(1f, model.HeadSize / 2).ToArray());
            var (packed, packed8) = (bench.Allocate<ushort>(rows * model.PackedWidth), bench.Allocate<byte>(rows * model.PackedWidth));
            bench.LaunchThreads("rotary_backward_e5m2", rows * model.PackedWidth / 16, packed, packed8, bench.Upload([Scaling.Of(scale)]), zeros, zeros, bench.Upload(values), ones, ones, rows, 1);
            var result = packed8.Download();
            Exact(Float8.E5M2, values, scale, [.. Enumerable.Range(0, rows).SelectMany(row => result[((row + 1) * model.PackedWidth - model.KeyValueWidth)..((row + 1) * model.PackedWidth)])]);
        }
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Weights_are_scaled_to_the_formats_range_and_kept_both_ways_round(string device)
    {
        foreach (var (rows, columns) in new[] { (8, 8), (72, 200), (64, 128), (136, 64) })
        {
            using var bench = new KernelBench(device, seed: rows);
            var weight = bench.Random.DrawBf16(rows * columns, ValueKind.Normal);
            var (scaling, deviceWeight) = (bench.Upload([new Scaling()]), bench.Upload(weight));
            var (straight, transposed) = (bench.Allocate<byte>(weight.Length), bench.Allocate<byte>(weight.Length));

            bench.Launch("weight_largest", 3, 256, scaling, deviceWeight, (long)weight.Length);
            var largest = Bf16.ToDoubles(weight).Max(Math.Abs);
            Assert.Equal(largest, scaling.Download()[0].Largest);
            bench.Launch("weight_scale", 1, 128, scaling, 1);
            bench.Launch("weight_to_e4m3", new Extent((columns + 63) / 64, (rows + 63) / 64), new Extent(32, 8), straight, transposed, deviceWeight, scaling, rows, columns);

            var record = scaling.Download()[0];
            Assert.Equal(Scaling.Of((float)(448 / largest)), record);
            var result = straight.Download();
            Exact(Float8.E4M3, weight, record.Scale, result);
            Assert.Equal(Enumerable.Range(0, columns).SelectMany(column => Enumerable.Range(0, rows).Select(row => result[row * columns + column])), transposed.Download());
        }
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void A_scale_follows_the_largest_magnitude_of_its_last_sixteen_steps(string device)
    {
        const int tensors = 200, steps = 40;
        using var bench = new KernelBench(device);
        var formats = Enumerable.Range(0, tensors).Select(i => i % 2 == 0 ? 448f : 57344f).ToArray();
        var seen = Enumerable.Range(0, steps).Select(_ => bench.Random.DrawFloats(tensors, ValueKind.Mixed).Select(Math.Abs).ToArray()).ToArray();
        var (history, bounds) = (bench.Upload(new float[tensors * History]), bench.Upload(formats));
        for (var step = 0; step < steps; step++)
        {
            var scalings = bench.Upload([.. seen[step].Select(largest => Scaling.Of(1, largest))]);
            bench.Launch("update_scales", 2, 128, scalings, history, bounds, tensors);
            var result = scalings.Download();
            for (var tensor = 0; tensor < tensors; tensor++)
            {
                var largest = seen[Math.Max(0, step - History + 1)..(step + 1)].Max(magnitudes => magnitudes[tensor]);
                Assert.Equal(Scaling.Of(formats[tensor] / largest), result[tensor]);
            }
        }
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void A_scale_is_finite_whatever_was_seen(string device)
    {
        using var bench = new KernelBench(device);
        float[] seen = [0, float.Epsilon, 1e-40f, 1e-36f, 3e38f, float.PositiveInfinity];
        foreach (var format in new[] { 448f, 57344f })
        {
            var activations = bench.Upload([.. seen.Select(largest => Scaling.Of(1, largest))]);
            bench.Launch("update_scales", 1, 128, activations, bench.Upload(new float[seen.Length * History]), bench.Upload(Enumerable.Repeat(format, seen.Length).ToArray()), seen.Length);
            var weights = bench.Upload([.. seen.Select(largest => Scaling.Of(1, largest))]);
            bench.Launch("weight_scale", 1, 128, weights, seen.Length);
            foreach (var scaling in activations.Download().Concat(weights.Download()))
            {
                Assert.True(scaling.Scale > 0 && float.IsFinite(scaling.Scale), $"{scaling}");
                Assert.True(scaling.Inverse > 0 && float.IsFinite(scaling.Inverse), $"{scaling}");
                Assert.Equal(0, scaling.Largest);
            }
        }
    }

    [Theory, MemberData(nameof(KernelDevices.Each), MemberType = typeof(KernelDevices))]
    public void Noise_is_between_a_half_and_one_of_either_sign(string device)
    {
        using var bench = new KernelBench(device);
        var noise = bench.Allocate<ushort>(20_000);
        bench.Launch("fill_noise", 3, 256, noise, (long)noise.Length / 2);
        var values = Bf16.ToDoubles(noise.Download());
        Assert.All(values, value => Assert.InRange(Math.Abs(value), 0.5, 1));
        Assert.InRange(values.Average(), -0.02, 0.02); // three deviations of the mean of 20,000 such values are 0.016
    }

    private static void Exact(Float8 format, ushort[] values, float scale, byte[] actual)
    {
        for (var i = 0; i < values.Length; i++)
        {
            var scaled = (float)Bf16.ToDouble(values[i]) * scale;
            if (!format.ToDouble(actual[i]).Equals(format.Nearest(scaled)))
                Assert.Fail($"{scaled:g9} became {format.ToDouble(actual[i]):g9}, not {format.Nearest(scaled):g9}");
        }
    }
}
