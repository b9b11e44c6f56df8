using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// Walks the fields of one protobuf message (wire format, https://protobuf.dev/programming-guides/encoding). Every length
/// is checked against the bytes that are there, so nothing a hostile file claims is ever allocated or read.
/// Errors: <see cref="FormatException"/> with the reason.
/// </summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    private const int DeepestGroup = 100; // protobuf's own recursion limit

    private readonly ReadOnlySpan<byte> _message = message;
    private int _position;
    private int _wireType;

    /// <summary>The field that <see cref="Next"/> found.</summary>
    public int Field { get; private set; }

    /// <summary>Moves to the next field; false at the end of the message. Its value must then be read or skipped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool Next()
    {
        if (_position == _message.Length)
            return false;
        var tag = ReadVarint();
        if (tag > uint.MaxValue || tag >> 3 == 0)
            throw new FormatException($"field number 0 or out of range at byte {_position}");
        Field = (int)(tag >> 3);
        _wireType = (int)(tag & 7);
        return true;
    }

    /// <summary>Reads a varint field; false, with the field skipped, where it has another wire type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryReadVarint(out ulong value)
    {
        value = 0;
        if (_wireType != 0)
        {
            Skip();
            return false;
        }
        value = ReadVarint();
        return true;
    }

    /// <summary>Reads a float field; false, with the field skipped, where it has another wire type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryReadFloat(out float value)
    {
        value = 0;
        if (_wireType != 5)
        {
            Skip();
            return false;
        }
        value = BinaryPrimitives.ReadSingleLittleEndian(Take(4));
        return true;
    }

    /// <summary>Reads a string, bytes or message field; false, with the field skipped, where it has another wire type.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryReadBytes(out ReadOnlySpan<byte> value)
    {
        value = default;
        if (_wireType != 2)
        {
            Skip();
            return false;
        }
        value = Take(ReadVarint());
        return true;
    }

    /// <summary>Passes over the current field's value.</summary>
    public void Skip() => SkipValue(_wireType, Field, depth: 0);

    private void SkipValue(int wireType, int field, int depth)
    {
        switch (wireType)
        {
            case 0:
                ReadVarint();
                break;
            case 1:
                Take(8);
                break;
            case 2:
                Take(ReadVarint());
                break;
            case 3:
                SkipGroup(field, depth + 1);
                break;
            case 5:
                Take(4);
                break;
            default:
                throw new FormatException($"wire type {wireType} at byte {_position} does not belong here");
        }
    }

    private void SkipGroup(int field, int depth)
    {
        if (depth > DeepestGroup)
            throw new FormatException($"groups are nested deeper than {DeepestGroup} at byte {_position}");
        while (true)
        {
            var tag = ReadVarint();
            var inner = (int)(tag >> 3);
            if ((tag & 7) == 4)
            {
                if (inner != field)
                    throw new FormatException($"a group ends that did not begin, at byte {_position}");
                return;
            }
            SkipValue((int)(tag & 7), inner, depth);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ReadOnlySpan<byte> Take(ulong length)
    {
        var left = _message.Length - _position;
        if (length > (ulong)left)
            throw new FormatException($"a field at byte {_position} claims {length} bytes where {left} are left");
        var taken = _message.Slice(_position, (int)length);
        _position += (int)length;
        return taken;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private ulong ReadVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 70; shift += 7)
        {
            if (_position == _message.Length)
                throw new FormatException($"it ends in the middle of a number at byte {_position}");
            var next = _message[_position++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
        throw new FormatException($"a number at byte {_position} is longer than 10 bytes");
    }
}
