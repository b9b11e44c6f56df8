using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.References;

namespace Streaming.Model.Tests.Fused;

public sealed class EmbeddingSpec
{
    private const int Rows = 23; // of the table and its gradient: the kernels do not know the vocabulary

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Forward_copies_the_tokens_rows(string device, string shape)
    {
        using var bench = new KernelBench(device, shape);
        var (hidden, positions) = (bench.Shape.Hidden, 37);
        var table = bench.Random.GetItems(Enumerable.Range(0, 1 << 16).Select(i => (ushort)i).ToArray(), Rows * hidden); // any bits
        var tokens = Tokens(bench.Random, positions);
        var output = bench.Allocate<ushort>(positions * hidden);

        bench.LaunchThreads("embedding_forward", positions * hidden / 8, output, bench.Upload(tokens), bench.Upload(table), positions);

        Assert.Equal(tokens.SelectMany(token => table.AsSpan(token * hidden, hidden).ToArray()), output.Download());
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormatWithShapes), MemberType = typeof(KernelDevices))]
    public void Backward_adds_every_position_to_its_tokens_gradient(string device, string shape)
    {
        // Few tokens often (runs are joined), and both more and fewer runs than blocks.
        foreach (var (positions, blocks, kind) in new[] { (1, 3, ValueKind.Normal), (33, 64, ValueKind.Tiny), (100, 7, ValueKind.Mixed), (150, 64, ValueKind.Large) })
        {
            using var bench = new KernelBench(device, shape, positions);
            var hidden = bench.Shape.Hidden;
            var tokens = Tokens(bench.Random, positions);
            var plan = new EmbeddingPlan(Rows, positions);
            plan.Build(tokens);
            var initial = bench.Random.DrawFloats(Rows * hidden, kind);
            var outputGradient = bench.DrawHalf(positions * hidden, kind);
            var gradient = bench.Upload(initial);

            Backward(bench, plan, gradient, bench.Upload(outputGradient), blocks);

            var expected = EmbeddingReference.Backward(initial, bench.Half.ToDoubles(outputGradient), tokens, hidden);
            Agreement.Near($"gradient of {positions} {kind} positions", expected, gradient.Download());
        }
    }

    [Theory, MemberData(nameof(KernelDevices.EachFormat), MemberType = typeof(KernelDevices))]
    public void Backward_is_the_same_to_the_bit_whatever_the_grid(string device)
    {
        using var bench = new KernelBench(device);
        const int positions = 300;
        var plan = new EmbeddingPlan(Rows, positions);
        plan.Build(Tokens(bench.Random, positions));
        Assert.NotEqual(0, plan.Joins);
        var outputGradient = bench.Upload(bench.DrawHalf(positions * bench.Shape.Hidden, ValueKind.Mixed));

        var results = new[] { 1, 5, 128 }.Select(blocks =>
        {
            var gradient = bench.Upload(new float[Rows * bench.Shape.Hidden]);
            Backward(bench, plan, gradient, outputGradient, blocks);
            return gradient.Download();
        }).ToArray();

        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
    }

    private static void Backward(KernelBench bench, EmbeddingPlan plan, DeviceArray<float> gradient, DeviceArray<ushort> outputGradient, int blocks)
    {
        var partials = bench.Allocate<float>(plan.Slots * bench.Shape.Hidden);
        var counts = bench.Upload(plan.Counts);
        bench.Launch("embedding_backward", blocks, 128, gradient, partials, outputGradient, bench.Upload(plan.Order), bench.Upload(plan.Begin),
            bench.Upload(plan.Token), bench.Upload(plan.Slot), counts);
        bench.Launch("embedding_backward_join", blocks, 128, gradient, partials, bench.Upload(plan.JoinBegin), bench.Upload(plan.JoinToken), counts);
    }

    /// <summary>Half of all positions hold the first token, a quarter the second: several runs each; the last token is there.</summary>
    private static int[] Tokens(Random random, int positions)
    {
        var tokens = new int[positions];
        for (var i = 0; i < positions; i++) tokens[i] = random.Next(2) == 0 ? 0 : random.Next(2) == 0 ? 1 : random.Next(2, Rows);
        tokens[positions / 2] = Rows - 1;
        return tokens;
    }
}
