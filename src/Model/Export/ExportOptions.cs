using Streaming.Model.Safetensors;

namespace Streaming.Model.Export;

/// <summary>How a model is written.</summary>
public sealed record ExportOptions
{
    /// <summary>F32, BF16 or F16.</summary>
    public TensorType Type { get; init; } = TensorType.BF16;

    /// <summary>Bytes of one file of weights at most, where a single tensor is not larger.</summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;

    /// <summary>The type as PyTorch and <c>config.json</c> name it.</summary>
    internal string TorchName => Type switch { TensorType.BF16 => "bfloat16", TensorType.F16 => "float16", _ => "float32" };

    /// <summary>Refuses numbers that fp16 cannot hold.</summary>
    internal void Check(string name, ReadOnlySpan<float> values)
    {
        if (Type != TensorType.F16)
            return;
        foreach (var value in values)
        {
            if (MathF.Abs(value) > (float)Half.MaxValue)
                throw new ModelException(FormattableString.Invariant($"{name} holds {value}, which fp16 cannot: its largest number is {(float)Half.MaxValue}; export as bf16"));
        }
    }
}
