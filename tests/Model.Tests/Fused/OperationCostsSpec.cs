using Streaming.Model.Fused;
using Streaming.Model.Measurement;

namespace Streaming.Model.Tests.Fused;

public sealed class OperationCostsSpec
{
    private const int Rows = 2, Tokens = 64;

    private static readonly FusedShape Shape = TestShapes.Named("tiny");

    // How often each runs in a micro-step: the classifier in chunks, the rest once a layer.
    private static readonly string[] Products = ["product qkv", "product o", "product gate_up", "product down"];

    [Theory, InlineData(1), InlineData(3)]
    public void Products_and_attention_add_up_to_the_flops_of_a_model(int chunks)
    {
        var costs = new OperationCosts(Shape, Rows * Tokens, Tokens, wideResidual: true, eightBits: false);
        double Flops(string name, int calls) => calls * costs.Of(name, calls, updated: 0)!.Value.Flops;
        var total = 0.0;
        foreach (var suffix in new[] { "", ", input gradient", ", weight gradient" })
            total += Products.Sum(name => Flops(name + suffix, Shape.Layers)) + Flops("product lm_head" + suffix, chunks);
        total += Flops("attention", Shape.Layers) + Flops("attention backward", Shape.Layers);

        // 6 a weight and token; attention, whose backward pass has five products for two, 3.5 x 4 x half the square.
        var weights = (double)Shape.Layers * ((double)Shape.Hidden * (Shape.PackedWidth + Shape.QueryWidth) + 3.0 * Shape.Hidden * Shape.Intermediate)
            + (double)Shape.VocabularyPadded * Shape.Hidden;
        var attention = 3.5 * 4 * Shape.Layers * Rows * Tokens * Tokens / 2.0 * Shape.QueryWidth;
        Assert.Equal(6 * weights * Rows * Tokens + attention, total, 1e-9 * total);
    }

    [Fact]
    public void Wider_values_move_more_bytes()
    {
        double Bytes(string name, bool wide, bool eight) => new OperationCosts(Shape, Rows * Tokens, Tokens, wide, eight).Of(name, 1, updated: 10)!.Value.Bytes;
        var values = (double)Rows * Tokens * Shape.Hidden;
        Assert.Equal(4 * values, Bytes("norm", wide: false, eight: false));
        Assert.Equal(12 * values, Bytes("norm", wide: true, eight: false));
        Assert.Equal(13 * values, Bytes("norm", wide: true, eight: true));
        Assert.Equal(320, Bytes("adamw", wide: true, eight: false));
        Assert.Null(new OperationCosts(Shape, Rows * Tokens, Tokens, true, false).Of("loss", 1, 10));
    }

    [Fact]
    public void A_speed_is_work_over_time()
    {
        var product = new OperationTime("product", Milliseconds: 2, Calls: 4, new OperationCost(1e9, 0));
        Assert.Equal(2, product.TeraflopsPerSecond!.Value, 1e-12);
        Assert.Null(product.TerabytesPerSecond);
    }
}
