using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused;

/// <summary>
/// The explicit forward and backward pass of one micro-batch: which kernel runs on which part of the buffers, in which order. It holds
/// no state of its own but addresses, so that the same calls run eagerly, timed, or into a CUDA graph.
/// Shapes: N rows x tokens, D hidden, F feed-forward, Q query width, P packed width (H + 2 G) K, V vocabulary (padded).
/// </summary>
internal sealed class FusedPasses(
    FusedShape shape, ParameterLayout layout, ActivationPlan plan, FusedBuffers buffers, KernelModule kernels, MatrixProducts products,
    LibtorchAttention attention, StepTimer timer)
{
    private const int Block = 256;

    private readonly int _count = buffers.Positions;
    private readonly float _epsilon = (float)shape.Model.RmsNormEpsilon;

    private nint High(long offset) => buffers.WeightsHigh + (nint)(offset * 2);
    private nint Low(long offset) => buffers.WeightsLow + (nint)(offset * 2);
    private nint Gradient(long offset) => buffers.Gradients + (nint)(offset * 4);
    private nint At(long offset) => buffers.Arena + (nint)offset;
    private long Norm(int index) => layout.Norms + (long)index * shape.Hidden;

    /// <summary>Losses and, through the classifier, the gradient of the last norm's output; attention states for the backward pass.</summary>
    /// <param name="states">Filled, one a layer; null releases each as soon as its result is used.</param>
    public void Forward(LibtorchAttention.State[]? states)
    {
        kernels.Launch("embedding_forward", Grid((long)_count * shape.Hidden / 8), Block,
            At(plan.Residual[0]), buffers.Tokens, High(layout.Embedding), _count);
        timer.Lap("embedding");
        for (var i = 0; i < shape.Layers; i++)
        {
            var layer = layout.Layers[i];
            RmsNorm(plan.Residual[i], 2 * i);
            products.Forward(At(plan.Packed[i]), At(plan.Normalized), High(layer.PackedProjection), _count, shape.Hidden, shape.PackedWidth);
            timer.Lap("product qkv");
            kernels.Launch("rotary_forward", Grid((long)_count * (shape.Heads + shape.KeyValueHeads) * shape.HeadSize / 16), Block,
                At(plan.Packed[i]), buffers.Cosine, buffers.Sine, _count, buffers.RowTokens);
            timer.Lap("rotary");
            var state = attention.Forward(At(plan.Packed[i]));
            timer.Lap("attention");
            products.Forward(At(plan.Middle[i]), state.OutAddress, High(layer.OutputProjection), _count, shape.QueryWidth, shape.Hidden,
                add: At(plan.Residual[i]));
            timer.Lap("product o");
            if (states is null) attention.Release(state);
            else states[i] = state;

            RmsNorm(plan.Middle[i], 2 * i + 1);
            products.Forward(At(plan.GateUp[i]), At(plan.Normalized), High(layer.GateUp), _count, shape.Hidden, 2 * shape.Intermediate);
            timer.Lap("product gate_up");
            kernels.Launch("swiglu_forward", Grid((long)_count * shape.Intermediate / 8), Block, At(plan.Product), At(plan.GateUp[i]), _count);
            timer.Lap("swiglu");
            products.Forward(At(plan.Residual[i + 1]), At(plan.Product), High(layer.Down), _count, shape.Intermediate, shape.Hidden,
                add: At(plan.Middle[i]));
            timer.Lap("product down");
        }
        RmsNorm(plan.Residual[shape.Layers], 2 * shape.Layers);
        Classify(backward: states is not null);
    }

    /// <summary>Adds this micro-batch's gradient to the gradient buffer.</summary>
    public void Backward(LibtorchAttention.State[] states)
    {
        RmsNormBackward(plan.Residual[shape.Layers], 2 * shape.Layers, add: 0);
        for (var i = shape.Layers - 1; i >= 0; i--)
        {
            var layer = layout.Layers[i];
            products.InputGradient(At(plan.DProduct), At(plan.DResidual), High(layer.Down), _count, shape.Intermediate, shape.Hidden);
            timer.Lap("product down, input gradient");
            kernels.Launch("swiglu_backward", Grid((long)_count * shape.Intermediate / 8), Block,
                At(plan.GateUp[i]), At(plan.Product), At(plan.DProduct), _count);
            timer.Lap("swiglu backward");
            products.WeightGradient(Gradient(layer.Down), At(plan.DResidual), At(plan.Product), _count, shape.Intermediate, shape.Hidden);
            timer.Lap("product down, weight gradient");
            products.InputGradient(At(plan.DNormalized), At(plan.GateUp[i]), High(layer.GateUp), _count, shape.Hidden, 2 * shape.Intermediate);
            timer.Lap("product gate_up, input gradient");
            RmsNormBackward(plan.Middle[i], 2 * i + 1, add: 1);
            products.WeightGradient(Gradient(layer.GateUp), At(plan.GateUp[i]), At(plan.Normalized), _count, shape.Hidden, 2 * shape.Intermediate);
            timer.Lap("product gate_up, weight gradient");

            products.InputGradient(At(plan.DAttention), At(plan.DResidual), High(layer.OutputProjection), _count, shape.QueryWidth, shape.Hidden);
            timer.Lap("product o, input gradient");
            products.WeightGradient(Gradient(layer.OutputProjection), At(plan.DResidual), states[i].OutAddress, _count, shape.QueryWidth, shape.Hidden);
            timer.Lap("product o, weight gradient");
            var gradients = attention.Backward(states[i], At(plan.DAttention));
            timer.Lap("attention backward");
            kernels.Launch("rotary_backward", Grid((long)_count * shape.PackedWidth / 16), Block,
                At(plan.DProduct), gradients.Query, gradients.Key, gradients.Value, buffers.Cosine, buffers.Sine, _count, buffers.RowTokens);
            attention.Release(gradients.Tensors);
            timer.Lap("rotary backward");
            products.InputGradient(At(plan.DNormalized), At(plan.DProduct), High(layer.PackedProjection), _count, shape.Hidden, shape.PackedWidth);
            timer.Lap("product qkv, input gradient");
            RmsNormBackward(plan.Residual[i], 2 * i, add: 1);
            products.WeightGradient(Gradient(layer.PackedProjection), At(plan.DProduct), At(plan.Normalized), _count, shape.Hidden, shape.PackedWidth);
            timer.Lap("product qkv, weight gradient");
        }
        EmbeddingBackward();
        kernels.Launch("rms_norm_weight_gradient", ((shape.Hidden + 31) / 32, layout.NormCount), (32, 8),
            Gradient(layout.Norms), At(plan.NormPartials), buffers.NormBlocks);
        timer.Lap("norm weight gradient");
    }

    private void RmsNorm(long input, int norm)
    {
        kernels.Launch("rms_norm_forward", (_count + shape.RowsPerBlock - 1) / shape.RowsPerBlock, FusedShape.RowBlock,
            At(plan.Normalized), At(input), High(Norm(norm)), Low(Norm(norm)), _count, _epsilon);
        timer.Lap("norm");
    }

    private void RmsNormBackward(long input, int norm, int add)
    {
        var partials = plan.NormPartials + (long)norm * buffers.NormBlocks * shape.Hidden * sizeof(float);
        kernels.Launch("rms_norm_backward", buffers.NormBlocks, FusedShape.RowBlock, At(plan.DResidual), At(plan.Normalized), At(partials),
            At(input), At(plan.DNormalized), High(Norm(norm)), Low(Norm(norm)), _count, _epsilon, add);
        timer.Lap("norm backward");
    }

    private void Classify(bool backward)
    {
        var weight = High(layout.Classifier);
        for (var start = 0; start < _count; start += buffers.Chunk)
        {
            var rows = Math.Min(buffers.Chunk, _count - start);
            var input = At(plan.Normalized) + (nint)start * shape.Hidden * 2;
            products.Forward(At(plan.Logits), input, weight, rows, shape.Hidden, shape.VocabularyPadded);
            timer.Lap("product lm_head");
            kernels.Launch("classifier", rows, 1024, At(plan.Logits), At(plan.Losses) + (nint)start * 4, buffers.Labels + (nint)start * 4,
                buffers.LossScale, backward ? 1 : 0);
            timer.Lap("classifier");
            if (!backward) continue;
            products.InputGradient(At(plan.DNormalized) + (nint)start * shape.Hidden * 2, At(plan.Logits), weight, rows, shape.Hidden, shape.VocabularyPadded);
            timer.Lap("product lm_head, input gradient");
            products.WeightGradient(Gradient(layout.Classifier), At(plan.Logits), input, rows, shape.Hidden, shape.VocabularyPadded);
            timer.Lap("product lm_head, weight gradient");
        }
        kernels.Launch("accumulate_loss", 1, 1024, buffers.Loss, At(plan.Losses), buffers.LossWeight, _count);
        timer.Lap("loss");
    }

    private void EmbeddingBackward()
    {
        var blocks = buffers.Multiprocessors * 16;
        kernels.Launch("embedding_backward", blocks, 128, Gradient(layout.Embedding), At(plan.EmbeddingPartials), At(plan.DResidual),
            buffers.Order, buffers.Begin, buffers.RunToken, buffers.Slot, buffers.Counts);
        kernels.Launch("embedding_backward_join", blocks, 128, Gradient(layout.Embedding), At(plan.EmbeddingPartials),
            buffers.JoinBegin, buffers.JoinToken, buffers.Counts);
        timer.Lap("embedding backward");
    }

    private static int Grid(long threads) => (int)((threads + Block - 1) / Block);
}
