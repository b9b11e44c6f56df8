namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// Finds the longest piece at a place, once for all places, before training begins. A trie in one hash table: node and code
/// lead to a node. Nodes below the number of pieces are the pieces themselves. Read-only once built.
/// </summary>
internal sealed class PieceTree
{
    private readonly TextRuns _runs;
    private readonly int _pieces;
    private ulong[] _keys = new ulong[1 << 12]; // node and code; 0 is free, as code 0 never occurs
    private int[] _nodes = new int[1 << 12];
    private int _used;

    /// <param name="runs">The text.</param>
    /// <param name="starts">Of each piece in the text; pieces in order of length, characters first.</param>
    /// <param name="lengths">Codes of each piece.</param>
    /// <param name="shorter">Receives the longest other piece that each begins with.</param>
    public PieceTree(TextRuns runs, int[] starts, int[] lengths, int[] shorter)
    {
        (_runs, _pieces) = (runs, lengths.Length);
        var next = _pieces;
        for (var piece = 0; piece < _pieces; piece++)
        {
            var codes = runs.Text.Slice(starts[piece], lengths[piece]);
            var node = codes[0] - 1;
            shorter[piece] = codes.Length == 1 ? PieceSet.None : node;
            for (var i = 1; i < codes.Length; i++)
            {
                // A shorter piece than this has its nodes already, so the last node is a new one.
                if (!TryStep(node, codes[i], out var child))
                    Add(node, codes[i], child = i == codes.Length - 1 ? piece : next++);
                node = child;
                if (node < _pieces && node != piece)
                    shorter[piece] = node;
            }
        }
    }

    /// <summary>Writes the longest piece at each place of the block.</summary>
    public void FindLongest(Block block, int[] longest)
    {
        var text = _runs.Text;
        var end = block.Start + block.Length;
        for (var place = block.Start; place < end; place++)
        {
            if (text[place] == Alphabet.None)
                continue;
            var node = text[place] - 1;
            longest[place] = node;
            for (var at = place + 1; text[at] != Alphabet.None && TryStep(node, text[at], out node); at++)
            {
                if (node < _pieces)
                    longest[place] = node;
            }
        }
    }

    private bool TryStep(int node, ushort code, out int child)
    {
        var key = ((ulong)node << 16) | code;
        var mask = _keys.Length - 1;
        for (var slot = Slot(key, mask); _keys[slot] != 0; slot = (slot + 1) & mask)
        {
            if (_keys[slot] == key)
            {
                child = _nodes[slot];
                return true;
            }
        }
        child = PieceSet.None;
        return false;
    }

    private void Add(int node, ushort code, int child)
    {
        if (++_used * 2L > _keys.Length)
        {
            var (keys, nodes) = (_keys, _nodes);
            (_keys, _nodes) = (new ulong[keys.Length * 2], new int[keys.Length * 2]);
            for (var slot = 0; slot < keys.Length; slot++)
            {
                if (keys[slot] != 0)
                    Put(keys[slot], nodes[slot]);
            }
        }
        Put(((ulong)node << 16) | code, child);
    }

    private void Put(ulong key, int child)
    {
        var mask = _keys.Length - 1;
        var slot = Slot(key, mask);
        while (_keys[slot] != 0)
            slot = (slot + 1) & mask;
        (_keys[slot], _nodes[slot]) = (key, child);
    }

    private static int Slot(ulong key, int mask) => (int)((key * 0x9E3779B97F4A7C15) >> 33) & mask;
}
