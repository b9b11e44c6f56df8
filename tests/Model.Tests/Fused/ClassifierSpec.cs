using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

public sealed class ClassifierSpec
{
    private const int Threads = 1024;

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Losses_and_gradients_are_those_of_cross_entropy(string device, string shape)
    {
        foreach (var (kind, scale) in new[] { (ValueKind.Normal, 1 / 32768f), (ValueKind.Large, 1f), (ValueKind.Tiny, 0.125f), (ValueKind.Zero, 1f), (ValueKind.Mixed, 65536f) })
        {
            using var bench = new KernelBench(device, shape, (int)kind);
            int[] labels = [kind < ValueKind.Tiny ? 0 : bench.Shape.Vocabulary - 1, bench.Random.Next(bench.Shape.Vocabulary)];
            Check(bench, $"{kind}", bench.DrawHalf(labels.Length * bench.Shape.VocabularyPadded, kind), labels, scale);
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Ignored_rows_have_neither_loss_nor_gradient(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        Check(bench, "ignored", bench.DrawHalf(3 * bench.Shape.VocabularyPadded, ValueKind.Normal), [-100, 5, -1], 0.5f);
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Confident_rows_keep_what_is_left_of_their_gradient(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        var width = bench.Shape.VocabularyPadded;
        var logits = bench.DrawHalf(2 * width, ValueKind.Normal);
        logits[7] = bench.Half.Nearest(40);          // right: the loss is far below what float32 adds to 40
        logits[width + 7] = bench.Half.Nearest(40);  // wrong: the loss is about 40
        Check(bench, "confident", logits, [7, 9], 1);
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Rows_far_from_zero_neither_overflow_nor_vanish(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        var width = bench.Shape.VocabularyPadded;
        var logits = new ushort[2 * width];
        for (var i = 0; i < logits.Length; i++) logits[i] = bench.Half.Nearest((i < width ? -1000 : 1000) + 8 * bench.Random.Draw(ValueKind.Normal));
        Check(bench, "far", logits, [11, 12], 1);
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void Infinite_logits_mean_what_they_mean_to_the_reference(string device)
    {
        using var bench = new KernelBench(device);
        var width = bench.Shape.VocabularyPadded;
        var logits = bench.DrawHalf(4 * width, ValueKind.Normal);
        for (var i = 0; i < 30; i++) logits[i] = logits[width + i] = bench.Half.Nearest(double.NegativeInfinity);
        logits[2 * width + 3] = bench.Half.Nearest(double.PositiveInfinity);
        logits[3 * width + 3] = bench.Half.NaN;
        // Impossible tokens: no gradient. The label itself impossible: infinite loss. A logit of infinity, or NaN: NaN.
        Check(bench, "infinite", logits, [40, 4, 5, 5], 1);
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Without_backward_the_logits_stay(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        var logits = bench.DrawHalf(2 * bench.Shape.VocabularyPadded, ValueKind.Normal);
        var (result, losses) = Run(bench, logits, [3, -1], 1, backward: 0);
        Assert.Equal(logits, result);
        Assert.Equal(Run(bench, logits, [3, -1], 1, backward: 1).Losses, losses);
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void Losses_are_added_to_the_total_times_their_weight(string device)
    {
        using var bench = new KernelBench(device);
        foreach (var (count, threads) in new[] { (1, 32), (31, 1024), (1000, 256), (5000, 1024) })
        {
            var losses = bench.Random.DrawFloats(count, ValueKind.Mixed);
            var (before, scale) = (1.25f, 1f / 3);
            var total = bench.Upload([before]);
            bench.Launch("accumulate_loss", 1, threads, total, bench.Upload(losses), bench.Upload([scale]), count);

            var sum = losses.Sum(value => (double)value);
            var terms = count / threads + 1 + 10 + 2; // of a thread, of the reduction, the product and the total
            var slack = terms * Expected.Unit * (before + scale * losses.Sum(value => Math.Abs((double)value)));
            Agreement.Near($"total of {count}", new Expected(before + scale * sum, slack), total.Download()[0]);
        }
    }

    private static void Check(KernelBench bench, string what, ushort[] logits, int[] labels, float scale)
    {
        var (width, vocabulary) = (bench.Shape.VocabularyPadded, bench.Shape.Vocabulary);
        // What stands in the padding must not matter.
        for (var row = 0; row < labels.Length; row++)
            for (var column = vocabulary; column < width; column++)
                logits[row * width + column] = column % 2 == 0 ? bench.Half.NaN : bench.Half.Nearest(1e30);

        var (gradient, losses) = Run(bench, logits, labels, scale, backward: 1);

        for (var row = 0; row < labels.Length; row++)
        {
            var expected = new Expected[width]; // zeros: an ignored row, or padding
            Expected loss = 0;
            if (labels[row] >= 0)
            {
                (loss, var slopes) = ClassifierReference.Row(bench.Half.ToDoubles(logits.AsSpan(row * width, vocabulary)), labels[row], scale);
                slopes.CopyTo(expected, 0);
            }
            Agreement.Near($"{what}: loss of row {row}", loss, losses[row]);
            Agreement.Rounded(bench.Half, $"{what}: gradient of row {row}", expected, gradient.AsSpan(row * width, width));
        }
    }

    private static (ushort[] Logits, float[] Losses) Run(KernelBench bench, ushort[] logits, int[] labels, float scale, int backward)
    {
        var (chunk, losses) = (bench.Upload(logits), bench.Allocate<float>(labels.Length));
        // Powers of two: their product is exact, whichever of the two factors holds how much.
        bench.Launch("classifier", labels.Length, Threads, chunk, losses, bench.Upload(labels), bench.Upload([scale / 256]), bench.Upload([256f]), backward);
        return (chunk.Download(), losses.Download());
    }
}
