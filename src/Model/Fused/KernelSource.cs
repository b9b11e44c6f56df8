using System.Text;

namespace Streaming.Model.Fused;

/// <summary>The kernels' CUDA source (embedded from <c>Kernels/</c>) and the macros that fix a model's shape in it.</summary>
public static class KernelSource
{
    /// <summary>One translation unit that needs no header.</summary>
    public static string Text { get; } =
        Read("common.cuh", "embedding.cu", "rms_norm.cu", "rotary.cu", "swiglu.cu", "classifier.cu", "optimizer.cu", "adamw_8bit.cu", "muon.cu", "scaling.cu", "wide_residual.cu", "transfer.cu");

    /// <summary>Macro definitions, <c>NAME=value</c>, in a fixed order.</summary>
    /// <param name="shape">The model.</param>
    /// <param name="halfPrecision">fp16 instead of bf16.</param>
    public static IReadOnlyList<string> Macros(FusedShape shape, bool halfPrecision = false) =>
    [
        $"HIDDEN={shape.Hidden}",
        $"INTERMEDIATE={shape.Intermediate}",
        $"HEADS={shape.Heads}",
        $"KEY_VALUE_HEADS={shape.KeyValueHeads}",
        $"HEAD_SIZE={shape.HeadSize}",
        $"VOCABULARY={shape.Vocabulary}",
        $"VOCABULARY_PADDED={shape.VocabularyPadded}",
        $"ROW_THREADS={shape.RowThreads}",
        $"HALF_PRECISION={(halfPrecision ? 1 : 0)}",
    ];

    /// <summary>Embedded sources behind one another, each under its own name in the compiler's messages.</summary>
    internal static string Read(params ReadOnlySpan<string> files)
    {
        var text = new StringBuilder();
        foreach (var file in files)
        {
            using var stream = typeof(KernelSource).Assembly.GetManifestResourceStream("kernels/" + file)
                ?? throw new InvalidOperationException($"the kernel source {file} is not embedded");
            using var reader = new StreamReader(stream);
            text.Append("#line 1 \"").Append(file).Append("\"\n").Append(reader.ReadToEnd()).Append('\n');
        }
        return text.ToString();
    }
}
