using Streaming.Model.Fused.Adapters;
using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.EightBitOperands;

namespace Streaming.Model.Fused;

/// <summary>What a pass is made of: the kernel or product of each operation, in 16 or 8 bits, with a residual stream of either type.</summary>
internal sealed partial class FusedPasses
{
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
