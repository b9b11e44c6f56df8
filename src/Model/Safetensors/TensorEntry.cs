namespace Streaming.Model.Safetensors;

/// <summary>How the elements of a tensor are stored; names as in the file format.</summary>
public enum TensorType { BOOL, U8, I8, F8_E5M2, F8_E4M3, I16, U16, F16, BF16, I32, U32, F32, F64, I64, U64 }

/// <summary>One tensor of a safetensors file.</summary>
/// <param name="Name">Name of the parameter.</param>
/// <param name="Type">Type of the elements.</param>
/// <param name="Shape">Sizes, outermost first; empty for a single value.</param>
/// <param name="Offset">First byte, counted from the end of the header.</param>
/// <param name="Bytes">Length in bytes.</param>
public sealed record TensorEntry(string Name, TensorType Type, IReadOnlyList<long> Shape, long Offset, long Bytes)
{
    /// <summary>Elements of the tensor.</summary>
    public long Count => Bytes / SizeOf(Type);

    /// <summary>Bytes of one element.</summary>
    public static int SizeOf(TensorType type) => type switch
    {
        TensorType.BOOL or TensorType.U8 or TensorType.I8 or TensorType.F8_E5M2 or TensorType.F8_E4M3 => 1,
        TensorType.I16 or TensorType.U16 or TensorType.F16 or TensorType.BF16 => 2,
        TensorType.I32 or TensorType.U32 or TensorType.F32 => 4,
        _ => 8,
    };

    /// <summary>Elements of a shape; null where the product does not fit a <see cref="long"/> in bytes of any type.</summary>
    public static long? CountOf(IReadOnlyList<long> shape)
    {
        if (shape.Any(size => size < 0))
            return null;
        if (shape.Contains(0))
            return 0;
        long count = 1;
        foreach (var size in shape)
        {
            if (count > long.MaxValue / 8 / size)
                return null;
            count *= size;
        }
        return count;
    }
}
