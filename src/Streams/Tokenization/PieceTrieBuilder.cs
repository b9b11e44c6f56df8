namespace Streaming.Streams.Tokenization;

/// <summary>
/// Builds a <see cref="PieceTrie"/>: a tree of linked children first, then each node's children into the first places of
/// the array where they all fit. Time is linear in the keys' length, since a bounded number of places is tried.
/// Errors: <see cref="FormatException"/> where the keys need more memory than any real vocabulary.
/// </summary>
internal sealed class PieceTrieBuilder
{
    private const int MostNodes = 1 << 23; // a vocabulary of a million pieces has about two million

    private readonly record struct TreeNode(char Unit, int FirstChild, int NextSibling, int Value, float Score);

    private readonly List<TreeNode> _tree = [new(default, 0, 0, PieceTrie.NoValue, 0)];
    private readonly Dictionary<long, int> _children = [];
    private readonly int[] _uses = new int[1 << 16];
    private int _longestKey;

    /// <summary>Adds a key, not empty; false where it is there already.</summary>
    public bool TryAdd(ReadOnlySpan<char> key, int value, float score)
    {
        var node = 0;
        foreach (var unit in key)
            node = FindOrAddChild(node, unit);
        if (_tree[node].Value != PieceTrie.NoValue)
            return false;
        _tree[node] = _tree[node] with { Value = value, Score = score };
        _longestKey = Math.Max(_longestKey, key.Length);
        return true;
    }

    public bool IsEmpty => _longestKey == 0;

    public PieceTrie Build()
    {
        var codes = NumberUnits(out var codeCount);
        var places = new FreePlaces(_tree.Count + codeCount);
        var placed = new List<(int Tree, int Place)>(_tree.Count) { (0, 0) };
        var bases = new int[_tree.Count];
        var childCodes = new List<int>();
        for (var next = 0; next < placed.Count; next++) // breadth first: what many keys share lies together
        {
            var tree = placed[next].Tree;
            childCodes.Clear();
            for (var child = _tree[tree].FirstChild; child != 0; child = _tree[child].NextSibling)
                childCodes.Add(codes[_tree[child].Unit]);
            if (childCodes.Count == 0)
                continue; // base 0: the root's children lie there, whose parent is another, so every step fails
            var start = tree == 0 ? 0 : places.FindBase(childCodes);
            if (start > 2 * MostNodes)
                throw new FormatException("its pieces need a larger table than any real vocabulary");
            bases[tree] = start;
            for (var child = _tree[tree].FirstChild; child != 0; child = _tree[child].NextSibling)
            {
                var place = start + codes[_tree[child].Unit];
                places.Take(place);
                placed.Add((child, place));
            }
        }

        var nodes = new PieceTrie.Node[places.End + codeCount + 1];
        nodes.AsSpan().Fill(new PieceTrie.Node { Parent = -1, Value = PieceTrie.NoValue });
        foreach (var (tree, place) in placed)
        {
            nodes[place].Base = bases[tree];
            nodes[place].Value = _tree[tree].Value;
            nodes[place].Score = _tree[tree].Score;
            for (var child = _tree[tree].FirstChild; child != 0; child = _tree[child].NextSibling)
                nodes[bases[tree] + codes[_tree[child].Unit]].Parent = place;
        }
        return new PieceTrie(nodes, codes, _longestKey);
    }

    private int FindOrAddChild(int node, char unit)
    {
        var edge = ((long)node << 16) | unit;
        if (_children.TryGetValue(edge, out var child))
            return child;
        child = _tree.Count;
        if (child == MostNodes)
            throw new FormatException("its pieces need a larger table than any real vocabulary");
        _tree.Add(new TreeNode(unit, 0, _tree[node].FirstChild, PieceTrie.NoValue, 0));
        _tree[node] = _tree[node] with { FirstChild = child };
        _children.Add(edge, child);
        _uses[unit]++;
        return child;
    }

    // Frequent units get small codes, so that most children lie close to their base.
    private ushort[] NumberUnits(out int count)
    {
        var units = Enumerable.Range(0, _uses.Length).Where(unit => _uses[unit] > 0).OrderByDescending(unit => _uses[unit]).ToArray();
        var codes = new ushort[_uses.Length];
        for (var i = 0; i < units.Length; i++)
            codes[units[i]] = (ushort)(i + 1);
        count = units.Length;
        return codes;
    }
}
