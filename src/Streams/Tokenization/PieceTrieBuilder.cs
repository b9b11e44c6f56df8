using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// Builds a <see cref="PieceTrie"/>: a tree of linked children first, then each node's children, largest families first,
/// into the first places of the array where they all fit.
/// Errors: <see cref="FormatException"/> where the keys need more memory than any real vocabulary.
/// </summary>
internal sealed class PieceTrieBuilder
{
    private const int MostNodes = 1 << 23; // a vocabulary of a million pieces has about two million

    // A parent stands before its children. Index 0, the root, is nobody's child, so it ends the lists of siblings.
    private struct TreeNode
    {
        public char Unit;
        public int FirstChild;
        public int NextSibling;
        public int Children;
        public int Value;
        public float Score;
    }

    private readonly Dictionary<long, int> _children;
    private readonly int[] _uses = new int[1 << 16]; // of each UTF-16 unit, in the tree
    private TreeNode[] _tree;
    private int _count = 1;
    private int _longestKey;

    /// <param name="expectedNodes">What room to make at first.</param>
    public PieceTrieBuilder(int expectedNodes)
    {
        _children = new Dictionary<long, int>(expectedNodes);
        _tree = new TreeNode[expectedNodes + 1];
        _tree[0].Value = PieceTrie.NoValue;
    }

    public bool IsEmpty => _longestKey == 0;

    /// <summary>Adds a key, not empty; false where it is there already.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public bool TryAdd(ReadOnlySpan<char> key, int value, float score)
    {
        var index = 0;
        foreach (var unit in key)
            index = FindOrAddChild(index, unit);
        ref var node = ref _tree[index];
        if (node.Value != PieceTrie.NoValue)
            return false;
        node.Value = value;
        node.Score = score;
        _longestKey = Math.Max(_longestKey, key.Length);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public PieceTrie Build()
    {
        var codes = NumberUnits(out var codeCount);
        var bases = Place(codes, codeCount, out var end);
        var nodes = new PieceTrie.Node[end + codeCount + 1];
        nodes.AsSpan().Fill(new PieceTrie.Node { Parent = -1, Value = PieceTrie.NoValue });
        var places = new int[_count];
        for (var index = 0; index < _count; index++)
        {
            ref var node = ref nodes[places[index]];
            node.Base = bases[index];
            node.Value = _tree[index].Value;
            node.Score = _tree[index].Score;
            for (var child = _tree[index].FirstChild; child != 0; child = _tree[child].NextSibling)
            {
                places[child] = bases[index] + codes[_tree[child].Unit];
                nodes[places[child]].Parent = places[index];
            }
        }
        return new PieceTrie(nodes, codes, _longestKey);
    }

    // The base of each node. A leaf's stays 0: the root's children lie there, so every step from it fails.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int[] Place(ushort[] codes, int codeCount, out int end)
    {
        var places = new FreePlaces(_count + codeCount + 1);
        var bases = new int[_count];
        var childCodes = new int[codeCount];
        foreach (var parent in ParentsByChildren())
        {
            var count = 0;
            for (var child = _tree[parent].FirstChild; child != 0; child = _tree[child].NextSibling)
                childCodes[count++] = codes[_tree[child].Unit];
            var family = childCodes.AsSpan(0, count);
            if (parent != 0)
                bases[parent] = places.FindBase(family);
            if (bases[parent] > 2 * MostNodes)
                throw new FormatException("its pieces need a larger table than any real vocabulary");
            foreach (var code in family)
                places.Take(bases[parent] + code);
        }
        end = places.End;
        return bases;
    }

    // The root, whose base is fixed, then by falling number of children, then in order of appearance.
    private IEnumerable<int> ParentsByChildren()
    {
        var order = new List<long>();
        for (var index = 1; index < _count; index++)
        {
            if (_tree[index].Children > 0)
                order.Add(((long)-_tree[index].Children << 32) | (uint)index);
        }
        order.Sort();
        return order.Select(key => (int)(key & 0xFFFF_FFFF)).Prepend(0);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int FindOrAddChild(int parent, char unit)
    {
        ref var child = ref CollectionsMarshal.GetValueRefOrAddDefault(_children, ((long)parent << 16) | unit, out var exists);
        if (exists)
            return child;
        if (_count == MostNodes)
            throw new FormatException("its pieces need a larger table than any real vocabulary");
        if (_count == _tree.Length)
            Array.Resize(ref _tree, _count * 2);
        child = _count++;
        _tree[child] = new TreeNode { Unit = unit, NextSibling = _tree[parent].FirstChild, Value = PieceTrie.NoValue };
        _tree[parent].FirstChild = child;
        _tree[parent].Children++;
        _uses[unit]++;
        return child;
    }

    // Frequent units get small codes, so that most children lie close to their base.
    private ushort[] NumberUnits(out int count)
    {
        var units = new List<long>();
        for (var unit = 0; unit < _uses.Length; unit++)
        {
            if (_uses[unit] > 0)
                units.Add(((long)-_uses[unit] << 32) | (uint)unit);
        }
        units.Sort();
        var codes = new ushort[_uses.Length];
        for (var i = 0; i < units.Count; i++)
            codes[units[i] & 0xFFFF] = (ushort)(i + 1);
        count = units.Count;
        return codes;
    }
}
