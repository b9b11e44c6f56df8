using System.Numerics;
using System.Runtime.InteropServices;

namespace Streaming.Streams.Sources.Http;

/// <summary>
/// Remembers what was handed out, so that what a server sends a second time can be compared with it: a check of all of it
/// (CRC-32C), and the last bytes as they were.
/// </summary>
internal sealed class HandedOutBytes(long start)
{
    /// <summary>Bytes that are kept as they were.</summary>
    public const int TailLength = 256;

    private readonly byte[] _tail = new byte[2 * TailLength];
    private readonly byte[] _rest = new byte[8];
    private int _tailEnd;
    private int _restLength;
    private uint _check;

    /// <summary>Place of the first byte.</summary>
    public long Start { get; } = start;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        KeepTail(bytes);
        if (_restLength > 0)
        {
            var taken = Math.Min(8 - _restLength, bytes.Length);
            bytes[..taken].CopyTo(_rest.AsSpan(_restLength));
            _restLength += taken;
            bytes = bytes[taken..];
            if (_restLength < 8)
                return;
            _check = BitOperations.Crc32C(_check, MemoryMarshal.Read<ulong>(_rest));
        }
        for (; bytes.Length >= 8; bytes = bytes[8..])
            _check = BitOperations.Crc32C(_check, MemoryMarshal.Read<ulong>(bytes));
        bytes.CopyTo(_rest);
        _restLength = bytes.Length;
    }

    /// <summary>Whether the same bytes went by as far as both know them; both end at the same place.</summary>
    public bool Agrees(HandedOutBytes other)
    {
        var known = Math.Min(_tailEnd, other._tailEnd);
        return _tail.AsSpan(_tailEnd - known, known).SequenceEqual(other._tail.AsSpan(other._tailEnd - known, known))
            && (Start != other.Start || _check == other._check);
    }

    private void KeepTail(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length >= TailLength)
        {
            bytes = bytes[^TailLength..];
            _tailEnd = 0;
        }
        if (_tailEnd + bytes.Length > _tail.Length)
        {
            var keep = TailLength - bytes.Length;
            _tail.AsSpan(_tailEnd - keep, keep).CopyTo(_tail);
            _tailEnd = keep;
        }
        bytes.CopyTo(_tail.AsSpan(_tailEnd));
        _tailEnd += bytes.Length;
    }
}
