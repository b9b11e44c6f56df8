namespace Streaming.Streams.Compression;

/// <summary>
/// Decodes the blocks of bzip2: Huffman codes, move to front, the Burrows-Wheeler transform, run lengths
/// (as Julian Seward's bzip2 1.0 writes them). The buffers serve all blocks of an archive.
/// </summary>
internal sealed class Bzip2BlockReader
{
    private const int SymbolsAGroup = 50, LongestSelectorList = 18_002, RunA = 0, RunB = 1;

    private readonly Bzip2CodeTable[] _tables = [new(), new(), new(), new(), new(), new()];
    private readonly byte[] _selectors = new byte[LongestSelectorList];
    private readonly byte[] _lengths = new byte[258];
    private readonly byte[] _frontList = new byte[256];
    private readonly int[] _starts = new int[256];
    private uint[] _links = []; // a byte of the sorted block and, above it, the index of the byte that follows it
    private int _left;
    private uint _cursor;
    private int _previous;
    private int _runLength;
    private int _repeats;
    private uint _check;

    /// <summary>The check of the data read so far, complete at the end of the block.</summary>
    public uint Check => ~_check;

    /// <summary>Reads a whole block, from behind its magic number and check.</summary>
    /// <param name="bits">The archive.</param>
    /// <param name="capacity">Bytes that a block of this archive may hold before run lengths are undone.</param>
    public void Begin(ref Bzip2BitReader bits, int capacity)
    {
        if (bits.Take(1) != 0)
            throw new InvalidDataException("it is randomised as only bzip2 before 0.9.5 did; compress it again");
        var origin = bits.Take(24);
        if (_links.Length < capacity)
            _links = new uint[capacity];
        var symbolCount = ReadAlphabet(ref bits) + 2;
        var selectorCount = ReadTables(ref bits, symbolCount);
        var length = ReadSymbols(ref bits, symbolCount, selectorCount, capacity);
        if (origin >= length)
            throw new InvalidDataException("the compressed data are damaged");
        InvertTransform(length);
        _cursor = _links[origin] >> 8;
        _left = length;
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
                    _frontList[count++] = (byte)(group * 16 + member);
        }
        return count > 0 ? count : throw new InvalidDataException("the compressed data are damaged");
    }

    private int ReadTables(ref Bzip2BitReader bits, int symbolCount)
    {
        var tableCount = (int)bits.Take(3);
        var selectorCount = (int)bits.Take(15);
        if (tableCount is < 2 or > 6 || selectorCount == 0)
            throw new InvalidDataException("the compressed data are damaged");
        Span<byte> order = [0, 1, 2, 3, 4, 5];
        for (var index = 0; index < selectorCount; index++)
        {
            var rank = 0;
            while (bits.Take(1) == 1)
                if (++rank == tableCount)
                    throw new InvalidDataException("the compressed data are damaged");
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
                    throw new InvalidDataException("the compressed data are damaged");
                _lengths[symbol] = (byte)length;
            }
            _tables[table].Build(_lengths.AsSpan(0, symbolCount));
        }
        return Math.Min(selectorCount, LongestSelectorList);
    }

    /// <summary>Reads symbols up to the block's end, undoes move to front, and leaves a byte in each link.</summary>
    private int ReadSymbols(ref Bzip2BitReader bits, int symbolCount, int selectorCount, int capacity)
    {
        Array.Clear(_starts);
        var links = _links;
        var frontList = _frontList;
        int length = 0, selector = 0, leftInGroup = 0;
        long run = 0, runStep = 1;
        var table = _tables[0];
        while (true)
        {
            if (leftInGroup-- == 0)
            {
                if (selector == selectorCount)
                    throw new InvalidDataException("the compressed data are damaged");
                table = _tables[_selectors[selector++]];
                leftInGroup = SymbolsAGroup - 1;
            }
            var symbol = table.Next(ref bits);
            if (symbol is RunA or RunB)
            {
                run += runStep << symbol;
                runStep <<= 1;
                if (run > capacity - length)
                    throw new InvalidDataException("the compressed data are damaged");
                continue;
            }
            if (run > 0)
            {
                links.AsSpan(length, (int)run).Fill(frontList[0]);
                _starts[frontList[0]] += (int)run;
                length += (int)run;
                run = 0;
                runStep = 1;
            }
            if (symbol == symbolCount - 1)
                return length;
            if (length == capacity)
                throw new InvalidDataException("the compressed data are damaged");
            var value = frontList[symbol - 1];
            frontList.AsSpan(0, symbol - 1).CopyTo(frontList.AsSpan(1));
            frontList[0] = value;
            _starts[value]++;
            links[length++] = value;
        }
    }

    private void InvertTransform(int length)
    {
        var sum = 0;
        for (var value = 0; value < 256; value++)
            (_starts[value], sum) = (sum, sum + _starts[value]);
        var links = _links;
        for (var index = 0; index < length; index++)
            links[_starts[(byte)links[index]]++] |= (uint)index << 8;
    }

    /// <summary>Reads data of the block; 0 at its end.</summary>
    public int Read(Span<byte> buffer)
    {
        var links = _links;
        var written = 0;
        while (written < buffer.Length)
        {
            if (_repeats > 0)
            {
                var count = Math.Min(_repeats, buffer.Length - written);
                buffer.Slice(written, count).Fill((byte)_previous);
                written += count;
                _repeats -= count;
                continue;
            }
            if (_left == 0)
                break;
            var link = links[_cursor];
            _cursor = link >> 8;
            _left--;
            var value = (byte)link;
            if (_runLength == 4)
            {
                _repeats = value;
                _runLength = 0;
                continue;
            }
            _runLength = value == _previous ? _runLength + 1 : 1;
            _previous = value;
            buffer[written++] = value;
        }
        _check = Bzip2Check.Append(_check, buffer[..written]);
        return written;
    }
}
