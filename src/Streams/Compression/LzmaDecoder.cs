using System.Runtime.CompilerServices;

namespace Streaming.Streams.Compression;

/// <summary>
/// The LZMA state machine: literals and matches, coded bit by bit with adaptive probabilities
/// (Igor Pavlov's LZMA specification, 2015).
/// </summary>
internal sealed unsafe class LzmaDecoder
{
    /// <summary>Bytes that must be readable behind the compressed data: a symbol takes fewer.</summary>
    public const int Slack = 64;

    private const int States = 12, PositionStates = 16, ShortestMatch = 2, FirstMatchState = 7;
    private const int LengthTree = 2 + PositionStates * 16 + 256;
    private const int LengthMiddle = 2 + PositionStates * 8, LengthHigh = 2 + PositionStates * 16;

    // Where each group of probabilities starts.
    private const int IsMatch = 0;
    private const int IsRepeat = IsMatch + States * PositionStates;
    private const int IsRepeat0 = IsRepeat + States;
    private const int IsRepeat1 = IsRepeat0 + States;
    private const int IsRepeat2 = IsRepeat1 + States;
    private const int IsLongRepeat0 = IsRepeat2 + States;
    private const int DistanceSlots = IsLongRepeat0 + States * PositionStates;
    private const int DistanceBits = DistanceSlots + 4 * 64;
    private const int DistanceAlign = DistanceBits + 128;
    private const int MatchLength = DistanceAlign + 16;
    private const int RepeatLength = MatchLength + LengthTree;
    private const int Literals = RepeatLength + LengthTree;
    private const int LiteralTree = 0x300;

    private readonly ushort[] _probabilities = new ushort[Literals + (LiteralTree << 4)];
    private int _literalContextBits;
    private int _literalPositionMask;
    private int _positionMask;
    private int _state;
    private uint _distance0, _distance1, _distance2, _distance3;

    /// <summary>Sets the properties (lc, lp, pb) from their byte and resets the state; false where LZMA2 forbids them.</summary>
    public bool SetProperties(byte properties)
    {
        var (rest, literalContextBits) = Math.DivRem((int)properties, 9);
        var (positionBits, literalPositionBits) = Math.DivRem(rest, 5);
        if (positionBits > 4 || literalContextBits + literalPositionBits > 4)
            return false;
        _literalContextBits = literalContextBits;
        _literalPositionMask = (1 << literalPositionBits) - 1;
        _positionMask = (1 << positionBits) - 1;
        Reset();
        return true;
    }

    public void Reset()
    {
        _state = 0;
        _distance0 = _distance1 = _distance2 = _distance3 = 0;
        Array.Fill(_probabilities, (ushort)1024);
    }

    /// <summary>Decodes one chunk into the window; false where the data are damaged.</summary>
    /// <param name="windowStart">Holds what came before; the chunk is written behind it.</param>
    /// <param name="start">Where the chunk starts in the window.</param>
    /// <param name="end">Where it ends.</param>
    /// <param name="history">First byte of the window that a match may reach.</param>
    /// <param name="streamPosition">Bytes since the dictionary's reset.</param>
    /// <param name="input">The compressed chunk, followed by <see cref="Slack"/> bytes.</param>
    /// <param name="inputLength">Bytes of the compressed chunk.</param>
    public bool Decode(byte* windowStart, int start, int end, int history, uint streamPosition, byte[] input, int inputLength)
    {
        if (inputLength < 5 || input[0] != 0)
            return false;
        fixed (byte* inputStart = input)
        fixed (ushort* probabilities = _probabilities)
        {
            var range = new RangeDecoder(inputStart);
            var inputEnd = inputStart + inputLength;
            var output = windowStart + start;
            var outputEnd = windowStart + end;
            var oldest = windowStart + history;
            var positionOffset = (int)streamPosition - start;
            var state = _state;
            while (output < outputEnd)
            {
                if (range.Next > inputEnd)
                    return false;
                var position = (int)(output - windowStart) + positionOffset;
                var positionState = position & _positionMask;
                if (range.Bit(probabilities + IsMatch + state * PositionStates + positionState) == 0)
                {
                    var previous = output > oldest ? output[-1] : (byte)0;
                    var context = ((position & _literalPositionMask) << _literalContextBits) + (previous >> (8 - _literalContextBits));
                    var tree = probabilities + Literals + LiteralTree * context;
                    if (state < FirstMatchState)
                        *output = (byte)range.Tree(tree, 8);
                    else if (_distance0 < (ulong)(output - oldest))
                        *output = MatchedLiteral(ref range, tree, output[-(long)_distance0 - 1]);
                    else
                        return false;
                    output++;
                    state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
                    continue;
                }

                int length;
                if (range.Bit(probabilities + IsRepeat + state) == 0)
                {
                    _distance3 = _distance2;
                    _distance2 = _distance1;
                    _distance1 = _distance0;
                    length = Length(ref range, probabilities + MatchLength, positionState);
                    _distance0 = Distance(ref range, probabilities, length);
                    state = state < FirstMatchState ? 7 : 10;
                }
                else
                {
                    var oneByte = false;
                    if (range.Bit(probabilities + IsRepeat0 + state) == 0)
                        oneByte = range.Bit(probabilities + IsLongRepeat0 + state * PositionStates + positionState) == 0;
                    else
                        TakeOlderDistance(ref range, probabilities, state);
                    length = oneByte ? 1 - ShortestMatch : Length(ref range, probabilities + RepeatLength, positionState);
                    state = state >= FirstMatchState ? 11 : oneByte ? 9 : 8;
                }

                length += ShortestMatch;
                if (_distance0 >= (ulong)(output - oldest) || length > outputEnd - output)
                    return false;
                var from = output - _distance0 - 1;
                do
                    *output++ = *from++;
                while (--length > 0);
            }
            _state = state;
            range.Normalize();
            return range.Next == inputEnd && range.Code == 0;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static byte MatchedLiteral(ref RangeDecoder range, ushort* tree, uint match)
    {
        uint symbol = 1, offset = 0x100;
        do
        {
            match <<= 1;
            var matchBit = match & offset;
            var bit = range.Bit(tree + offset + matchBit + symbol);
            symbol = (symbol << 1) | bit;
            offset &= bit == 0 ? ~matchBit : matchBit;
        }
        while (symbol < 0x100);
        return (byte)symbol;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Length(ref RangeDecoder range, ushort* tree, int positionState)
    {
        if (range.Bit(tree) == 0)
            return (int)range.Tree(tree + 2 + positionState * 8, 3);
        if (range.Bit(tree + 1) == 0)
            return 8 + (int)range.Tree(tree + LengthMiddle + positionState * 8, 3);
        return 16 + (int)range.Tree(tree + LengthHigh, 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Distance(ref RangeDecoder range, ushort* probabilities, int length)
    {
        var slot = range.Tree(probabilities + DistanceSlots + Math.Min(length, 3) * 64, 6);
        if (slot < 4)
            return slot;
        var bits = (int)(slot >> 1) - 1;
        var distance = (2 | (slot & 1)) << bits;
        return slot < 14
            ? distance + range.ReverseTree(probabilities + DistanceBits + distance - slot, bits)
            : distance + (range.Direct(bits - 4) << 4) + range.ReverseTree(probabilities + DistanceAlign, 4);
    }

    /// <summary>Moves the second, third or fourth last distance to the front.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void TakeOlderDistance(ref RangeDecoder range, ushort* probabilities, int state)
    {
        var chosen = _distance1;
        if (range.Bit(probabilities + IsRepeat1 + state) != 0)
        {
            chosen = _distance2;
            if (range.Bit(probabilities + IsRepeat2 + state) != 0)
            {
                chosen = _distance3;
                _distance3 = _distance2;
            }
            _distance2 = _distance1;
        }
        _distance1 = _distance0;
        _distance0 = chosen;
    }
}
