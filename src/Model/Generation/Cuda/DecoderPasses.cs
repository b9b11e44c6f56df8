using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Generation.Cuda;

/// <summary>
/// Which kernels a pass runs, in which order. It holds addresses alone, so that the same calls run eagerly or into a CUDA graph.
/// The tokens of a pass and the rows whose logits are wanted lie in <see cref="DecoderBuffers.Rows"/>.
/// </summary>
/// <param name="shape">The model.</param>
/// <param name="layout">Where each weight lies.</param>
/// <param name="buffers">The memory.</param>
/// <param name="kernels">Kernels that follow one another.</param>
/// <param name="few">For passes of each size in <see cref="DecoderKernels.FewTokens"/>: kernels that may start while the one before them ends.</param>
/// <param name="products">For passes of more tokens.</param>
internal sealed class DecoderPasses(
    FusedShape shape, ParameterLayout layout, DecoderBuffers buffers, IKernelQueue kernels, IReadOnlyList<IKernelQueue> few, IForwardProducts products)
{
    private const int Block = 256, Warps = Block / 32, AttentionBlock = 128, BestBlock = 1024;

    private readonly float _epsilon = (float)shape.Model.RmsNormEpsilon;
    private readonly int _window = shape.Model.SlidingWindow ?? 0;

    /// <summary>The smallest pass that holds <paramref name="tokens"/> tokens: a power of two.</summary>
    public static int SizeFor(int tokens) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)tokens);

    private nint Weight(long offset) => buffers.Weights + (nint)(offset * sizeof(ushort));
    private nint Norm(int index) => Weight(layout.Norms + (long)index * shape.Hidden);
    private nint Keys(int layer) => buffers.Keys + (nint)(layer * buffers.LayerBytes);
    private nint Values(int layer) => buffers.Values + (nint)(layer * buffers.LayerBytes);

    private IKernelQueue? Few(int size) => Array.IndexOf(DecoderKernels.FewTokens, size) is var index and >= 0 ? few[index] : null;

    /// <summary>Extends the slots by a pass of <paramref name="size"/> tokens and leaves the residual stream's rows.</summary>
    public void Extend(int size)
    {
        kernels.Launch("decode_embed", Grid(size * shape.Hidden / 8), Block, buffers.Residual, Weight(layout.Embedding), buffers.Rows, size);
        var queue = Few(size);
        for (var layer = 0; layer < shape.Layers; layer++)
        {
            if (queue is null) ExtendMany(size, layer);
            else ExtendFew(queue, size, layer);
        }
    }

    /// <summary>Logits of <paramref name="size"/> selected rows.</summary>
    public void Classify(int size, int firstSelected = 0)
    {
        var selected = buffers.Rows + firstSelected * DecoderBuffers.RowIntegers * sizeof(int);
        var (norm, weight) = (Norm(2 * shape.Layers), Weight(layout.Classifier));
        if (Few(size) is { } queue)
        {
            queue.Launch("decode_logits", ((shape.Vocabulary + 1) / 2 + Warps - 1) / Warps, Block, buffers.Logits, buffers.Residual, norm, weight, selected, _epsilon);
            return;
        }
        kernels.Launch("decode_norm", size, Block, buffers.Normed, buffers.Residual, norm, selected, _epsilon);
        products.ForwardWide(buffers.Logits, buffers.Normed, weight, size, shape.Hidden, shape.VocabularyPadded, add: false);
    }

    /// <summary>The most probable token of each of the first rows of logits.</summary>
    public void Choose(int rows) => kernels.Launch("decode_best", rows, BestBlock, buffers.Best, buffers.Logits);

    /// <summary>Copies the first <paramref name="length"/> tokens of a slot.</summary>
    public void Copy(int from, int to, int length) =>
        kernels.Launch("decode_copy", (Math.Clamp(Grid(length * shape.KeyValueWidth / 8), 1, 64), shape.Layers), (Block, 1),
            buffers.Keys, buffers.Values, from, to, buffers.Context, length, buffers.LayerBytes / 16);

    private void ExtendFew(IKernelQueue queue, int size, int layer)
    {
        var weights = layout.Layers[layer];
        var splits = DecoderBuffers.Splits(size);
        queue.Launch("decode_project", (shape.PackedWidth / 2 + Warps - 1) / Warps, Block, buffers.Queries, Keys(layer), Values(layer), buffers.Residual, Norm(2 * layer),
            Weight(weights.PackedProjection), buffers.Cosine, buffers.Sine, buffers.Rows, buffers.Context, _epsilon);
        Attend(queue, size, layer, splits);
        queue.Launch("decode_attend_output", (shape.Hidden + Warps - 1) / Warps, Block, buffers.Residual, buffers.Partial, buffers.Statistics, Weight(weights.OutputProjection), splits);
        queue.Launch("decode_gate_up", (shape.Intermediate + Warps - 1) / Warps, Block, buffers.Activated, buffers.Residual, Norm(2 * layer + 1), Weight(weights.GateUp), _epsilon);
        queue.Launch("decode_down", (shape.Hidden + Warps - 1) / Warps, Block, buffers.Residual, buffers.Activated, Weight(weights.Down));
    }

    private void ExtendMany(int size, int layer)
    {
        var weights = layout.Layers[layer];
        kernels.Launch("decode_norm", size, Block, buffers.Normed, buffers.Residual, Norm(2 * layer), (nint)0, _epsilon);
        products.Forward(buffers.Packed, buffers.Normed, Weight(weights.PackedProjection), size, shape.Hidden, shape.PackedWidth);
        kernels.Launch("decode_place", Grid(size * shape.PackedWidth / 2), Block, buffers.Queries, Keys(layer), Values(layer), buffers.Packed,
            buffers.Cosine, buffers.Sine, buffers.Rows, buffers.Context, size);
        Attend(kernels, size, layer, splits: 1);
        kernels.Launch("decode_join", Grid(size * shape.QueryWidth / 8), Block, buffers.Attended, buffers.Partial, buffers.Statistics, 1, size);
        products.ForwardWide(buffers.Residual, buffers.Attended, Weight(weights.OutputProjection), size, shape.QueryWidth, shape.Hidden, add: true);
        kernels.Launch("decode_norm", size, Block, buffers.Normed, buffers.Residual, Norm(2 * layer + 1), (nint)0, _epsilon);
        products.Forward(buffers.GateUp, buffers.Normed, Weight(weights.GateUp), size, shape.Hidden, 2 * shape.Intermediate);
        kernels.Launch("swiglu_forward", Grid(size * shape.Intermediate / 8), Block, buffers.Activated, buffers.GateUp, size);
        products.ForwardWide(buffers.Residual, buffers.Activated, Weight(weights.Down), size, shape.Intermediate, shape.Hidden, add: true);
    }

    private void Attend(IKernelQueue queue, int size, int layer, int splits) =>
        queue.Launch("decode_attention", (size, shape.KeyValueHeads * splits), (AttentionBlock, 1), buffers.Partial, buffers.Statistics, buffers.Queries,
            Keys(layer), Values(layer), buffers.Rows, buffers.Context, _window, splits);

    private static int Grid(int threads) => (threads + Block - 1) / Block;
}
