using Streaming.Model.Engines;
using Streaming.Model.Fused.Adapters;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Fused.Offload;
using static Streaming.Model.Fused.EightBitOperands;

namespace Streaming.Model.Fused;

/// <summary>
/// The explicit forward and backward pass of one micro-batch: which kernel runs on which part of the buffers, in which order. It holds
/// no state of its own but addresses, so that the same calls run eagerly, timed, or into a CUDA graph.
/// Shapes: N rows x tokens, D hidden, F feed-forward, Q query width, P packed width (H + 2 G) K, V vocabulary (padded).
/// </summary>
internal sealed partial class FusedPasses(
    FusedShape shape, ParameterLayout layout, ActivationPlan plan, FusedBuffers buffers, KernelModule kernels, MatrixProducts products,
    LibtorchAttention attention, StepTimer timer, IResidency residency, AdapterPasses? adapters = null)
{
    private const int Block = 256;

    private readonly int _count = buffers.Positions;
    private readonly float _epsilon = (float)shape.Model.RmsNormEpsilon;

    private nint High(long offset) => buffers.Weights.High(offset);
    private nint Low(long offset) => buffers.Weights.Low(offset);
    private nint Gradient(long offset) => buffers.Flat.Gradient(offset);
    private nint At(long offset) => buffers.Arena + (nint)offset;
    private long Norm(int index) => layout.Norms + (long)index * shape.Hidden;

    // What a norm puts out: kept in the place of its input where the residual stream is wide, in scratch otherwise.
    private nint Normed(int norm) =>
        At(!buffers.WideResidual ? plan.Normalized : norm % 2 == 0 ? plan.Residual[norm / 2] : plan.Middle[norm / 2]);

    /// <summary>Losses and, through the classifier, the gradient of the last norm's output; attention states for the backward pass.</summary>
    /// <param name="states">Filled, one a layer, unless attention is computed again; null where no backward pass follows.</param>
    public void Forward(LibtorchAttention.State[]? states)
    {
        residency.BeginForward(backward: states is not null);
        if (buffers.WideResidual)
            kernels.Launch("embedding_forward_wide", Grid((long)_count * shape.Hidden / 8), Block,
                At(plan.Stream), At(plan.StreamLow), buffers.Tokens, High(layout.Embedding), Low(layout.Embedding), _count);
        else
            kernels.Launch("embedding_forward", Grid((long)_count * shape.Hidden / 8), Block,
                At(plan.Residual[0]), buffers.Tokens, High(layout.Embedding), _count);
        timer.Lap("embedding");
        for (var i = 0; i < shape.Layers; i++)
        {
            residency.EnterForward(i);
            var layer = layout.Layers[i];
            NormAndProject(plan.Residual[i], 2 * i, i, Site.AttentionInput, Matrix.Packed, At(plan.Packed[i]), layer.PackedProjection, shape.PackedWidth);
            timer.Lap("product qkv");
            adapters?.Forward(i, AdaptedProduct.Packed, Normed(2 * i), At(plan.Packed[i]));
            var state = Attend(i);
            var (sum, before) = Sum(plan.Middle[i], plan.Residual[i]);
            products.Forward(sum, state.OutAddress, High(layer.OutputProjection), _count, shape.QueryWidth, shape.Hidden, before);
            timer.Lap("product o");
            adapters?.Forward(i, AdaptedProduct.Output, state.OutAddress, sum);
            if (states is null || buffers.Recompute != Recomputation.None) attention.Release(state);
            else states[i] = state;

            NormAndProject(plan.Middle[i], 2 * i + 1, i, Site.FeedForwardInput, Matrix.GateUp, At(plan.GateUp[i]), layer.GateUp, 2 * shape.Intermediate);
            timer.Lap("product gate_up");
            adapters?.Forward(i, AdaptedProduct.GateUp, Normed(2 * i + 1), At(plan.GateUp[i]));
            SwigluAndProject(i);
            timer.Lap("product down");
            residency.LeaveForward(i);
        }
        RmsNorm(plan.Residual[shape.Layers], 2 * shape.Layers);
        residency.EnterClassifier(backward: states is not null);
        Classify(backward: states is not null);
        residency.LeaveClassifier(backward: states is not null);
        if (states is null) residency.End();
    }

    /// <summary>Adds this micro-batch's gradient to the gradient buffer: the model's, or where those are trained its adapters'.</summary>
    /// <param name="states">Of the forward pass; those of attention that is computed again are released.</param>
    public void Backward(LibtorchAttention.State[] states)
    {
        RmsNormBackward(plan.Residual[shape.Layers], 2 * shape.Layers, add: 0, roundedFor: shape.Layers - 1);
        for (var i = shape.Layers - 1; i >= 0; i--)
        {
            residency.EnterBackward(i);
            if (buffers.Recompute != Recomputation.None) states[i] = Recompute(i);
            var layer = layout.Layers[i];
            InputGradient(At(plan.DProduct), plan.DResidual, plan.DResidual8, i, Site.DResidual, Matrix.Down, layer.Down, shape.Intermediate, shape.Hidden);
            timer.Lap("product down, input gradient");
            adapters?.InputGradient(i, AdaptedProduct.Down, At(plan.DProduct), At(plan.DResidual));
            SwigluBackward(i);
            timer.Lap("swiglu backward");
            WeightGradient(i, AdaptedProduct.Down, layer.Down, At(plan.DResidual), At(plan.Product), shape.Intermediate, shape.Hidden);
            InputGradient(At(plan.DNormalized), plan.GateUp[i], plan.DWide8, i, Site.DGateUp, Matrix.GateUp, layer.GateUp, shape.Hidden, 2 * shape.Intermediate);
            timer.Lap("product gate_up, input gradient");
            adapters?.InputGradient(i, AdaptedProduct.GateUp, At(plan.DNormalized), At(plan.GateUp[i]));
            RmsNormBackward(plan.Middle[i], 2 * i + 1, add: 1, roundedFor: null);
            WeightGradient(i, AdaptedProduct.GateUp, layer.GateUp, At(plan.GateUp[i]), Normed(2 * i + 1), shape.Hidden, 2 * shape.Intermediate);

            products.InputGradient(At(plan.DAttention), At(plan.DResidual), High(layer.OutputProjection), _count, shape.QueryWidth, shape.Hidden);
            timer.Lap("product o, input gradient");
            adapters?.InputGradient(i, AdaptedProduct.Output, At(plan.DAttention), At(plan.DResidual));
            WeightGradient(i, AdaptedProduct.Output, layer.OutputProjection, At(plan.DResidual), states[i].OutAddress, shape.QueryWidth, shape.Hidden);
            var gradients = attention.Backward(states[i], At(plan.DAttention));
            if (buffers.Recompute != Recomputation.None)
            {
                attention.Release(states[i]);
                states[i] = default;
            }
            timer.Lap("attention backward");
            RotaryBackward(i, gradients);
            attention.Release(gradients.Tensors);
            timer.Lap("rotary backward");
            InputGradient(At(plan.DNormalized), plan.DProduct, plan.DWide8, i, Site.DPacked, Matrix.Packed, layer.PackedProjection, shape.Hidden, shape.PackedWidth);
            timer.Lap("product qkv, input gradient");
            adapters?.InputGradient(i, AdaptedProduct.Packed, At(plan.DNormalized), At(plan.DProduct));
            RmsNormBackward(plan.Residual[i], 2 * i, add: 1, roundedFor: i > 0 ? i - 1 : null);
            WeightGradient(i, AdaptedProduct.Packed, layer.PackedProjection, At(plan.DProduct), Normed(2 * i), shape.Hidden, shape.PackedWidth);
            residency.LeaveBackward(i);
        }
        if (adapters is not null)
        {
            residency.End();
            return;
        }
        residency.EnterEmbeddingBackward();
        EmbeddingBackward();
        kernels.Launch("rms_norm_weight_gradient", ((shape.Hidden + 31) / 32, layout.NormCount), (32, 8),
            Gradient(layout.Norms), At(plan.NormPartials), buffers.NormBlocks);
        timer.Lap("norm weight gradient");
        residency.End();
        if (buffers.EightBits is not { } eight) return;
        kernels.Launch("update_scales", (eight.Tensors + 127) / 128, 128, eight.Scalings, eight.Magnitudes, eight.FormatLargest, eight.Tensors);
        timer.Lap("scales");
    }

    private LibtorchAttention.State Attend(int layer)
    {
        kernels.Launch("rotary_forward", Grid((long)_count * (shape.Heads + shape.KeyValueHeads) * shape.HeadSize / 16), Block,
            At(plan.Packed[layer]), buffers.Cosine, buffers.Sine, _count, buffers.RowTokens);
        timer.Lap("rotary");
        var state = attention.Forward(At(plan.Packed[layer]));
        timer.Lap("attention");
        return state;
    }

    // What the forward pass has overwritten since: from the norms' inputs, or from what they put out, where that was kept.
    private LibtorchAttention.State Recompute(int layer)
    {
        Project(plan.Residual[layer], 2 * layer, Site.AttentionInput, Matrix.Packed, At(plan.Packed[layer]), layout.Layers[layer].PackedProjection, shape.PackedWidth);
        timer.Lap("product qkv, again");
        adapters?.Forward(layer, AdaptedProduct.Packed, Normed(2 * layer), At(plan.Packed[layer]));
        var state = Attend(layer);
        if (buffers.Recompute == Recomputation.Attention) return state;
        Project(plan.Middle[layer], 2 * layer + 1, Site.FeedForwardInput, Matrix.GateUp, At(plan.GateUp[layer]), layout.Layers[layer].GateUp, 2 * shape.Intermediate);
        timer.Lap("product gate_up, again");
        adapters?.Forward(layer, AdaptedProduct.GateUp, Normed(2 * layer + 1), At(plan.GateUp[layer]));
        return state;

        void Project(long input, int norm, Site site, Matrix matrix, nint y, long weight, int outputs)
        {
            if (buffers.WideResidual) products.Forward(y, Normed(norm), High(weight), _count, shape.Hidden, outputs);
            else NormAndProject(input, norm, layer, site, matrix, y, weight, outputs);
        }
    }

    /// <summary>Rounds the weights to 8 bits; after every update of them.</summary>
    public void RoundWeights()
    {
        if (buffers.EightBits is not { } eight) return;
        for (var i = 0; i < eight.WeightTensors; i++)
            kernels.Launch("weight_largest", buffers.Multiprocessors, Block, eight.WeightScaling(i), High(eight.Shapes[i].Offset),
                (long)eight.Shapes[i].Rows * eight.Shapes[i].Columns);
        kernels.Launch("weight_scale", (eight.WeightTensors + 127) / 128, 128, eight.WeightScalings, eight.WeightTensors);
        for (var i = 0; i < eight.WeightTensors; i++)
        {
            var (offset, rows, columns) = eight.Shapes[i];
            kernels.Launch("weight_to_e4m3", ((columns + 63) / 64, (rows + 63) / 64), (32, 8), eight.Straight(i), eight.Transposed(i),
                High(offset), eight.WeightScaling(i), rows, columns);
        }
        timer.Lap("weights to 8 bits");
    }
}
