using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Adapters;

/// <summary>
/// Tells the weights that adapters were trained upon from others: SHA-256 over each tensor's name, type and shape and the first 4 KiB of
/// its numbers, by name. Any training changes all of them, and a model of many gigabytes is told in no time.
/// </summary>
public static class BaseFingerprint
{
    private const int SampleBytes = 4096;

    public static unsafe string Of(SafetensorsWeights weights)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> number = stackalloc byte[sizeof(long)];
        foreach (var name in weights.Names.Order(StringComparer.Ordinal))
        {
            var tensor = weights.Find(name)!;
            hash.AppendData(Encoding.UTF8.GetBytes($"{name} {tensor.Type}\n"));
            foreach (var size in tensor.Shape)
            {
                BinaryPrimitives.WriteInt64LittleEndian(number, size);
                hash.AppendData(number);
            }
            hash.AppendData(new ReadOnlySpan<byte>((void*)weights.Pointer(name), (int)Math.Min(SampleBytes, tensor.Bytes)));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
