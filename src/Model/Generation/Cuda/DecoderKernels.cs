using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Generation.Cuda;

/// <summary>The CUDA source of a decoder's kernels, one unit for each number of tokens that its passes of few tokens have.</summary>
internal static class DecoderKernels
{
    /// <summary>Tokens that one reading of the weights by our own kernels serves; passes of more use matrix products.</summary>
    public static readonly int[] FewTokens = [1, 2, 4, 8];

    /// <summary>One translation unit that needs no header.</summary>
    public static string Text { get; } =
        KernelSource.Read("common.cuh", "swiglu.cu", "decode_pass.cuh", "decode_attention.cu", "decode_few.cu", "decode_many.cu");

    /// <summary>Macro definitions for passes of <paramref name="tokens"/> tokens, one of <see cref="FewTokens"/>.</summary>
    public static IReadOnlyList<string> Macros(FusedShape shape, int tokens) => [.. KernelSource.Macros(shape), $"PASS_ROWS={tokens}"];

    /// <summary>Compiles all units side by side, or finds them in the cache; in the order of <see cref="FewTokens"/>.</summary>
    public static byte[][] Compile(FusedShape shape, (int Major, int Minor) capability, string cacheFolder)
    {
        var images = new byte[FewTokens.Length][];
        Parallel.For(0, images.Length, i => images[i] = KernelCompiler.Compile(Text, Macros(shape, FewTokens[i]), capability, cacheFolder));
        return images;
    }

    /// <exception cref="NotSupportedException">The kernels do not compute such a model; says why.</exception>
    public static FusedShape ShapeOf(MistralConfig model)
    {
        var shape = FusedShape.From(model);
        if (!System.Numerics.BitOperations.IsPow2(shape.HeadSize))
            throw new NotSupportedException($"generation on a GPU needs head_dim to be a power of two; it is {shape.HeadSize}");
        if (shape.Heads / shape.KeyValueHeads > 8)
            throw new NotSupportedException($"generation on a GPU needs at most 8 query heads for each key-value head; the model has {shape.Heads / shape.KeyValueHeads}");
        return shape;
    }
}
