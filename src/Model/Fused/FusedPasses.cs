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
internal sealed class FusedPasses(
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

    // y = norm(input) W^T, the norm's result in 16 or 8 bits.
    private void NormAndProject(long input, int norm, int layer, Site site, Matrix matrix, nint y, long weight, int outputs)
    {
        if (buffers.EightBits is not { } eight)
        {
            RmsNorm(input, norm);
            products.Forward(y, Normed(norm), High(weight), _count, shape.Hidden, outputs);
            return;
        }
        if (buffers.WideResidual)
            kernels.Launch("rms_norm_forward_wide_e4m3", NormGrid, FusedShape.RowBlock, Normed(norm), At(plan.Normalized8),
                eight.Scaling(layer, site), NormScales(norm), At(plan.Stream), At(plan.StreamLow), Branch(norm), High(Norm(norm)), Low(Norm(norm)),
                _count, _epsilon);
        else
            kernels.Launch("rms_norm_forward_e4m3", NormGrid, FusedShape.RowBlock,
                At(plan.Normalized8), eight.Scaling(layer, site), At(input), High(Norm(norm)), Low(Norm(norm)), _count, _epsilon);
        timer.Lap("norm");
        products.Forward8(y, At(plan.Normalized8), eight.Inverse(layer, site), eight.Straight(layer, matrix), eight.WeightInverse(layer, matrix),
            _count, shape.Hidden, outputs);
    }

    private void SwigluAndProject(int layer)
    {
        var grid = Grid((long)_count * shape.Intermediate / 8);
        var gateUp = At(plan.GateUp[layer]);
        var (y, add) = Sum(plan.Residual[layer + 1], plan.Middle[layer]);
        if (buffers.EightBits is not { } eight)
        {
            kernels.Launch("swiglu_forward", grid, Block, At(plan.Product), gateUp, _count);
            timer.Lap("swiglu");
            products.Forward(y, At(plan.Product), High(layout.Layers[layer].Down), _count, shape.Intermediate, shape.Hidden, add);
            adapters?.Forward(layer, AdaptedProduct.Down, At(plan.Product), y);
            return;
        }
        kernels.Launch("swiglu_forward_e4m3", grid, Block, At(plan.Product8), eight.Scaling(layer, Site.Product), gateUp, _count);
        timer.Lap("swiglu");
        products.Forward8(y, At(plan.Product8), eight.Inverse(layer, Site.Product), eight.Straight(layer, Matrix.Down),
            eight.WeightInverse(layer, Matrix.Down), _count, shape.Intermediate, shape.Hidden, add);
    }

    private void SwigluBackward(int layer)
    {
        var grid = Grid((long)_count * shape.Intermediate / 8);
        if (buffers.EightBits is not { } eight)
            kernels.Launch("swiglu_backward", grid, Block, At(plan.GateUp[layer]), At(plan.Product), At(plan.DProduct), _count);
        else
            kernels.Launch("swiglu_backward_e5m2", grid, Block, At(plan.GateUp[layer]), At(plan.DWide8), eight.Scaling(layer, Site.DGateUp),
                At(plan.Product), At(plan.DProduct), _count);
    }

    private void RotaryBackward(int layer, LibtorchAttention.Gradients gradients)
    {
        var grid = Grid((long)_count * shape.PackedWidth / 16);
        if (buffers.EightBits is not { } eight)
            kernels.Launch("rotary_backward", grid, Block, At(plan.DProduct), gradients.Query, gradients.Key, gradients.Value,
                buffers.Cosine, buffers.Sine, _count, buffers.RowTokens);
        else
            kernels.Launch("rotary_backward_e5m2", grid, Block, At(plan.DProduct), At(plan.DWide8), eight.Scaling(layer, Site.DPacked),
                gradients.Query, gradients.Key, gradients.Value, buffers.Cosine, buffers.Sine, _count, buffers.RowTokens);
    }

    private void InputGradient(nint dX, long dY, long dY8, int layer, Site site, Matrix matrix, long weight, int inputs, int outputs)
    {
        if (buffers.EightBits is not { } eight)
            products.InputGradient(dX, At(dY), High(weight), _count, inputs, outputs);
        else
            products.InputGradient8(dX, At(dY8), eight.Inverse(layer, site), eight.Transposed(layer, matrix), eight.WeightInverse(layer, matrix),
                _count, inputs, outputs);
    }

    private void WeightGradient(int layer, AdaptedProduct product, long weight, nint dY, nint x, int inputs, int outputs)
    {
        if (adapters is not null)
        {
            adapters.WeightGradient(layer, product, x, dY);
            return;
        }
        products.WeightGradient(Gradient(weight), dY, x, _count, inputs, outputs);
        timer.Lap(product switch
        {
            AdaptedProduct.Packed => "product qkv, weight gradient",
            AdaptedProduct.Output => "product o, weight gradient",
            AdaptedProduct.GateUp => "product gate_up, weight gradient",
            _ => "product down, weight gradient",
        });
    }

    private void RmsNorm(long input, int norm)
    {
        if (buffers.WideResidual)
            kernels.Launch("rms_norm_forward_wide", NormGrid, FusedShape.RowBlock, Normed(norm), NormScales(norm), At(plan.Stream),
                At(plan.StreamLow), Branch(norm), High(Norm(norm)), Low(Norm(norm)), _count, _epsilon);
        else
            kernels.Launch("rms_norm_forward", NormGrid, FusedShape.RowBlock,
                At(plan.Normalized), At(input), High(Norm(norm)), Low(Norm(norm)), _count, _epsilon);
        timer.Lap("norm");
    }

    // Where half a layer's result goes, and what the product adds to it: the residual before, unless the next norm does that.
    private (nint Result, nint Before) Sum(long after, long before) =>
        buffers.WideResidual ? (At(plan.DNormalized), 0) : (At(after), At(before));

    // What the norm adds to the wide stream first: the result of the half layer before it.
    private nint Branch(int norm) => norm == 0 ? 0 : At(plan.DNormalized);

    private nint NormScales(int norm) => At(plan.NormScales) + (nint)((long)norm * _count * sizeof(float));

    // roundedFor: the layer whose down projection reads the new gradient of the residual stream in 8 bits.
    private void RmsNormBackward(long input, int norm, int add, int? roundedFor)
    {
        var partials = plan.NormPartials + (adapters is null ? norm * plan.NormPartialsEach : 0);
        if (buffers.WideResidual)
        {
            if (buffers.EightBits is { } rounding && roundedFor is { } reader)
                kernels.Launch("rms_norm_backward_wide_e5m2", buffers.NormBlocks, FusedShape.RowBlock, At(plan.DResidual), At(plan.StreamLow),
                    At(plan.DResidual8), rounding.Scaling(reader, Site.DResidual), At(partials), Normed(norm), NormScales(norm),
                    At(plan.DNormalized), High(Norm(norm)), Low(Norm(norm)), _count, add);
            else
                kernels.Launch("rms_norm_backward_wide", buffers.NormBlocks, FusedShape.RowBlock, At(plan.DResidual), At(plan.StreamLow),
                    At(partials), Normed(norm), NormScales(norm), At(plan.DNormalized), High(Norm(norm)), Low(Norm(norm)), _count, add);
        }
        else if (buffers.EightBits is { } eight && roundedFor is { } layer)
            kernels.Launch("rms_norm_backward_e5m2", buffers.NormBlocks, FusedShape.RowBlock, At(plan.DResidual), At(plan.DResidual8),
                eight.Scaling(layer, Site.DResidual), At(plan.Normalized), At(partials),
                At(input), At(plan.DNormalized), High(Norm(norm)), Low(Norm(norm)), _count, _epsilon, add);
        else
            kernels.Launch("rms_norm_backward", buffers.NormBlocks, FusedShape.RowBlock, At(plan.DResidual), At(plan.Normalized), At(partials),
                At(input), At(plan.DNormalized), High(Norm(norm)), Low(Norm(norm)), _count, _epsilon, add);
        timer.Lap("norm backward");
    }

    private void Classify(bool backward)
    {
        var weight = buffers.Weights.ClassifierHigh;
        for (var start = 0; start < _count; start += buffers.Chunk)
        {
            var rows = Math.Min(buffers.Chunk, _count - start);
            var input = Normed(2 * shape.Layers) + (nint)start * shape.Hidden * 2;
            products.Forward(At(plan.Logits), input, weight, rows, shape.Hidden, shape.VocabularyPadded);
            timer.Lap("product lm_head");
            kernels.Launch("classifier", rows, 1024, At(plan.Logits), At(plan.Losses) + (nint)start * 4, buffers.Labels + (nint)start * 4,
                buffers.LossWeight, buffers.LossScale, backward ? 1 : 0);
            timer.Lap("classifier");
            if (!backward) continue;
            products.InputGradient(At(plan.DNormalized) + (nint)start * shape.Hidden * 2, At(plan.Logits), weight, rows, shape.Hidden, shape.VocabularyPadded);
            timer.Lap("product lm_head, input gradient");
            if (adapters is not null) continue;
            products.WeightGradient(buffers.Flat.ClassifierGradient, At(plan.Logits), input, rows, shape.Hidden, shape.VocabularyPadded);
            timer.Lap("product lm_head, weight gradient");
        }
        kernels.Launch("accumulate_loss", 1, 1024, buffers.Loss, At(plan.Losses), buffers.LossWeight, _count);
        timer.Lap("loss");
    }

    private void EmbeddingBackward()
    {
        var blocks = buffers.Multiprocessors * 16;
        if (buffers.WideResidual)
            kernels.Launch("embedding_backward_wide", blocks, 128, Gradient(layout.Embedding), At(plan.EmbeddingPartials), At(plan.DResidual),
                At(plan.StreamLow), buffers.Order, buffers.Begin, buffers.RunToken, buffers.Slot, buffers.Counts);
        else
            kernels.Launch("embedding_backward", blocks, 128, Gradient(layout.Embedding), At(plan.EmbeddingPartials), At(plan.DResidual),
                buffers.Order, buffers.Begin, buffers.RunToken, buffers.Slot, buffers.Counts);
        kernels.Launch("embedding_backward_join", blocks, 128, Gradient(layout.Embedding), At(plan.EmbeddingPartials),
            buffers.JoinBegin, buffers.JoinToken, buffers.Counts);
        timer.Lap("embedding backward");
    }

    private int NormGrid => (_count + shape.RowsPerBlock - 1) / shape.RowsPerBlock;

    private static int Grid(long threads) => (int)((threads + Block - 1) / Block);
}
