using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

/// <summary>
/// Copies between spans and tensors of any device, in pieces, so that no piece exceeds what one span can hold.
/// The tensors used inside are disposed before the call returns.
/// </summary>
internal static class HostTensors
{
    private const long PieceElements = 1 << 26;

    /// <summary>Copies a contiguous tensor, converted to float32.</summary>
    public static void Read(Tensor source, Span<float> destination)
    {
        using var temporaries = NewDisposeScope();
        var flat = source.detach().view(-1);
        CheckLength(flat, destination.Length);
        for (long done = 0; done < destination.Length; done += PieceElements)
        {
            var count = Math.Min(PieceElements, destination.Length - done);
            using var pieces = NewDisposeScope();
            var host = flat.narrow(0, done, count).to(ScalarType.Float32).cpu();
            MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(destination.Slice((int)done, (int)count));
        }
    }

    /// <summary>Overwrites a contiguous tensor, converting to its type.</summary>
    public static void Write(Tensor target, ReadOnlySpan<float> source)
    {
        using var gradientOff = no_grad();
        using var temporaries = NewDisposeScope();
        var flat = target.detach().view(-1);
        CheckLength(flat, source.Length);
        for (long done = 0; done < source.Length; done += PieceElements)
        {
            var count = Math.Min(PieceElements, source.Length - done);
            using var pieces = NewDisposeScope();
            flat.narrow(0, done, count).copy_(FromFloats(source.Slice((int)done, (int)count), [count]));
        }
    }

    /// <summary>A float32 tensor on the CPU.</summary>
    public static Tensor FromFloats(ReadOnlySpan<float> values, long[] shape)
    {
        var tensor = empty(shape, ScalarType.Float32);
        MemoryMarshal.AsBytes(values).CopyTo(tensor.bytes);
        return tensor;
    }

    /// <summary>Token ids as a (rows, columns) tensor of 64-bit integers on <paramref name="device"/>.</summary>
    public static Tensor FromTokens(ReadOnlySpan<int> tokens, int rows, Device device)
    {
        var host = empty([rows, tokens.Length / rows], ScalarType.Int64);
        var ids = MemoryMarshal.Cast<byte, long>(host.bytes);
        for (var i = 0; i < tokens.Length; i++)
            ids[i] = tokens[i];
        if (device.type == DeviceType.CPU)
            return host;
        using (host)
            return host.to(device);
    }

    /// <summary>The single float32 of a tensor. <c>item()</c> would leave a copy behind where the tensor is on a GPU.</summary>
    public static float Scalar(Tensor tensor)
    {
        Span<float> value = stackalloc float[1];
        Read(tensor, value);
        return value[0];
    }

    private static void CheckLength(Tensor flat, int length)
    {
        if (flat.NumberOfElements != length)
            throw new ArgumentException($"the tensor has {flat.NumberOfElements} elements, the buffer {length}");
    }
}
