namespace Streaming.Streams.Compression;

/// <summary>
/// Decodes the blocks of bzip2: Huffman codes, move to front, the Burrows-Wheeler transform, run lengths
/// (as Julian Seward's bzip2 1.0 writes them). The buffers serve one block after the other.
/// </summary>
internal sealed unsafe class Bzip2BlockDecoder
{
    /// <summary>Bytes that a block holds at most before run lengths are undone.</summary>
    public const int LargestBlock = 900_000;

    private const int SymbolsAGroup = 50, LongestSelectorList = 18_002, RunA = 0, RunB = 1;

    private readonly Bzip2CodeTable[] _tables = [new(), new(), new(), new(), new(), new()];
    private readonly byte[] _selectors = new byte[LongestSelectorList];
    private readonly byte[] _lengths = new byte[258];
    private readonly MoveToFront _front = new();
    private readonly int[] _starts = new int[256];
    private uint[] _links = []; // a byte of the sorted block and, above it, the index of the byte that follows it
    private int _left;
    private uint _cursor;
    private int _previous;
    private int _runLength;
    private int _repeats;
    private uint _check;

    /// <summary>Bytes of the block before run lengths are undone.</summary>
    public int BlockLength { get; private set; }

    /// <summary>The check of the data read so far, complete at the end of the block.</summary>
    public uint Check => ~_check;

    /// <summary>Reads a whole block, from behind its magic number and check.</summary>
    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="EndOfStreamException">The bits end before the block.</exception>
    public void Begin(ref Bzip2BitReader bits)
    {
        try
        {
            if (bits.Take(1) != 0)
                throw new InvalidDataException("it is randomised as only bzip2 before 0.9.5 did; compress it again");
            var origin = bits.Take(24);
            var symbolCount = ReadAlphabet(ref bits) + 2;
            var selectorCount = ReadTables(ref bits, symbolCount);
            BlockLength = ReadSymbols(ref bits, symbolCount, selectorCount);
            if (origin >= BlockLength)
                throw Damaged();
            InvertTransform();
            _cursor = _links[origin] >> 8;
        }
        catch (InvalidDataException) when (bits.IsPastEnd)
        {
            throw new EndOfStreamException();
        }
        if (bits.IsPastEnd)
            throw new EndOfStreamException();
        _left = BlockLength;
        _previous = -1;
        _runLength = _repeats = 0;
        _check = uint.MaxValue;
    }

    private int ReadAlphabet(ref Bzip2BitReader bits)
    {
        var groups = bits.Take(16);
        var count = 0;
        for (var group = 0; group < 16; group++)
        {
            if ((groups & (0x8000 >> group)) == 0)
                continue;
            var members = bits.Take(16);
            for (var member = 0; member < 16; member++)
                if ((members & (0x8000 >> member)) != 0)
                    _front.List[count++] = (byte)(group * 16 + member);
        }
        return count > 0 ? count : throw Damaged();
    }

    private int ReadTables(ref Bzip2BitReader bits, int symbolCount)
    {
        var tableCount = (int)bits.Take(3);
        var selectorCount = (int)bits.Take(15);
        if (tableCount is < 2 or > 6 || selectorCount == 0)
            throw Damaged();
        Span<byte> order = [0, 1, 2, 3, 4, 5];
        for (var index = 0; index < selectorCount; index++)
        {
            var rank = 0;
            while (bits.Take(1) == 1)
                if (++rank == tableCount)
                    throw Damaged();
            var table = order[rank];
            order[..rank].CopyTo(order[1..]);
            order[0] = table;
            if (index < LongestSelectorList) // some writers pad the list
                _selectors[index] = table;
        }
        for (var table = 0; table < tableCount; table++)
        {
            var length = (int)bits.Take(5);
            for (var symbol = 0; symbol < symbolCount; symbol++)
            {
                while (length is >= 1 and <= Bzip2CodeTable.LongestCode && bits.Take(1) == 1)
                    length += bits.Take(1) == 0 ? 1 : -1;
                if (length is < 1 or > Bzip2CodeTable.LongestCode)
                    throw Damaged();
                _lengths[symbol] = (byte)length;
            }
            _tables[table].Build(_lengths.AsSpan(0, symbolCount));
        }
        return Math.Min(selectorCount, LongestSelectorList);
    }

    /// <summary>Reads symbols up to the block's end, undoes move to front, and leaves a byte in each link.</summary>
    private int ReadSymbols(ref Bzip2BitReader archive, int symbolCount, int selectorCount)
    {
        if (_links.Length == 0)
            _links = GC.AllocateUninitializedArray<uint>(LargestBlock);
        Array.Clear(_starts);
        var bits = archive; // in registers
        var front = _front;
        var length = 0;
        long run = 0;
        var runShift = 0;
        fixed (uint* links = _links)
        fixed (int* counts = _starts)
        {
            for (var selector = 0; selector < selectorCount; selector++)
            {
                var table = _tables[_selectors[selector]];
                var hasRoom = bits.HasRoomFor(SymbolsAGroup);
                for (var left = SymbolsAGroup; left > 0; left--)
                {
                    if (hasRoom)
                        bits.RefillFast();
                    else
                        bits.Refill();
                    var entry = table.Find(bits.Bits);
                    bits.Drop(entry & 31);
                    var symbol = entry >> 5;
                    if (symbol <= RunB)
                    {
                        if (entry == 0)
                            goto damaged;
                        run += 1L << (symbol + runShift++);
                        if (run > LargestBlock - length)
                            goto damaged;
                        continue;
                    }
                    if (run > 0)
                    {
                        var repeated = front.Front;
                        counts[repeated] += (int)run;
                        new Span<uint>(links + length, (int)run).Fill(repeated);
                        length += (int)run;
                        run = runShift = 0;
                    }
                    if (symbol == symbolCount - 1)
                    {
                        archive = bits;
                        return length;
                    }
                    if (length == LargestBlock)
                        goto damaged;
                    var value = front.Move(symbol - 1);
                    counts[value]++;
                    links[length++] = value;
                }
            }
        }
    damaged:
        archive = bits;
        throw Damaged();
    }

    private void InvertTransform()
    {
        var sum = 0;
        for (var value = 0; value < 256; value++)
            (_starts[value], sum) = (sum, sum + _starts[value]);
        fixed (uint* links = _links)
        fixed (int* starts = _starts)
            for (var index = 0u; index < (uint)BlockLength; index++)
                links[starts[(byte)links[index]]++] |= index << 8;
    }

    /// <summary>Reads data of the block; 0 at its end.</summary>
    public int Read(Span<byte> buffer)
    {
        var written = 0;
        var (cursor, left, previous, runLength) = (_cursor, _left, _previous, _runLength);
        fixed (uint* links = _links)
        fixed (byte* output = buffer)
        {
            while (written < buffer.Length)
            {
                if (_repeats > 0)
                {
                    var count = Math.Min(_repeats, buffer.Length - written);
                    new Span<byte>(output + written, count).Fill((byte)previous);
                    written += count;
                    _repeats -= count;
                    continue;
                }
                if (left == 0)
                    break;
                var link = links[cursor];
                cursor = link >> 8;
                left--;
                int value = (byte)link;
                if (runLength == 4)
                {
                    _repeats = value;
                    runLength = 0;
                    continue;
                }
                runLength = value == previous ? runLength + 1 : 1;
                previous = value;
                output[written++] = (byte)value;
            }
        }
        (_cursor, _left, _previous, _runLength) = (cursor, left, previous, runLength);
        _check = Bzip2Check.Append(_check, buffer[..written]);
        return written;
    }

    private static InvalidDataException Damaged() => new("the compressed data are damaged");
}
