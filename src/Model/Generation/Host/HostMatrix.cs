using Streaming.Model.Safetensors;

namespace Streaming.Model.Generation.Host;

/// <summary>A matrix in memory, row after row. Whoever made it keeps the memory.</summary>
/// <param name="Data">First element.</param>
/// <param name="Type">F32 or BF16.</param>
/// <param name="Rows">Outputs.</param>
/// <param name="Columns">Inputs.</param>
internal readonly unsafe record struct HostMatrix(nint Data, TensorType Type, int Rows, int Columns)
{
    private long RowBytes => (long)Columns * (Type == TensorType.F32 ? sizeof(float) : sizeof(ushort));

    public long Bytes => Rows * RowBytes;

    public byte* Row(int row) => (byte*)Data + row * RowBytes;

    /// <summary>Copies a row as float32.</summary>
    public void ReadRow(int row, float* destination)
    {
        if (Type == TensorType.F32)
        {
            Buffer.MemoryCopy(Row(row), destination, RowBytes, RowBytes);
            return;
        }
        var source = (ushort*)Row(row);
        for (var i = 0; i < Columns; i++)
            destination[i] = Elements.FromBFloat16(source[i]);
    }

    /// <summary>The first row as float32.</summary>
    public float[] ToVector()
    {
        var values = new float[Columns];
        fixed (float* destination = values)
            ReadRow(0, destination);
        return values;
    }
}
