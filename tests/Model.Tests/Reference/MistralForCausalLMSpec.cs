using Streaming.Model.Engines;
using Streaming.Model.Reference;
using static TorchSharp.torch;

namespace Streaming.Model.Tests.Reference;

public sealed class MistralForCausalLMSpec
{
    // Both sides compute in float32 but sum in different orders: over two layers and sums of up to 320 terms the errors add
    // up. Measured on one processor: logits 5 roundings of the largest, gradients 3 to 13; the limits leave room for others.
    private const double Rounding = 1.0 / (1 << 23);

    [Fact]
    public void Logits_equal_those_of_Transformers()
    {
        using var tiny = new TinyReference();
        using var model = tiny.LoadModel();
        using var scope = NewDisposeScope();
        using var gradientOff = no_grad();

        var logits = new float[tiny.Expected["logits"].Count];
        HostTensors.Read(model.forward(HostTensors.FromTokens(tiny.InputIds, tiny.Rows, CPU)), logits);

        var error = Closeness.RelativeError(logits, tiny.Expected.ReadFloats("logits"));
        Assert.True(error < 20 * Rounding, $"relative error {error}");
    }

    [Fact]
    public void The_loss_and_every_gradient_equal_those_of_PyTorch()
    {
        using var tiny = new TinyReference();
        using var model = tiny.LoadModel();
        using var scope = NewDisposeScope();

        var loss = model.Loss(new MicroBatch(tiny.InputIds, tiny.Rows), CPU, trains: true)!;
        loss.backward();

        Assert.Equal(tiny.Expected.ReadFloats("loss")[0], HostTensors.Scalar(loss), 5 * 6 * Rounding); // a loss near 6
        foreach (var (parameter, tensor) in model.Weights)
        {
            var gradient = new float[parameter.Count];
            HostTensors.Read(tensor.grad!, gradient);
            var error = Closeness.RelativeError(gradient, tiny.Expected.ReadFloats("grad." + parameter.Name));
            Assert.True(error < 50 * Rounding, $"{parameter.Name}: relative error {error}");
        }
    }
}
