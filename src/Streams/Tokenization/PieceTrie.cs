using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// A double-array trie over UTF-16 units: three bytes of Japanese are one step. Units are renumbered by frequency first
/// (<see cref="Codes"/>), which packs the array. Immutable. After "Engineering faster double-array Aho-Corasick automata"
/// (Kanda et al., 2023), character-wise variant.
/// </summary>
internal sealed class PieceTrie
{
    /// <summary>No key ends at a node.</summary>
    public const int NoValue = -1;

    /// <summary>The child of node n by code c lies at <c>nodes[n].Base + c</c>, if that node's parent is n.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Node
    {
        public int Base;
        public int Parent;

        /// <summary><see cref="NoValue"/>, or what the key that ends here stands for.</summary>
        public int Value;

        public float Score;
    }

    private readonly Node[] _nodes;
    private readonly ushort[] _codes;

    /// <param name="nodes">The root at 0; long enough that no base plus code lies outside.</param>
    /// <param name="codes">UTF-16 unit → code; 0 for a unit that no key contains.</param>
    /// <param name="longestKey">UTF-16 units.</param>
    internal PieceTrie(Node[] nodes, ushort[] codes, int longestKey)
    {
        _nodes = nodes;
        _codes = codes;
        LongestKey = longestKey;
    }

    /// <summary>UTF-16 units of the longest key.</summary>
    public int LongestKey { get; }

    /// <summary>Code of each of the 65,536 UTF-16 units; 0 where no key contains it.</summary>
    public ReadOnlySpan<ushort> Codes => _codes;

    /// <summary>All nodes; every base plus code lies inside, so a walk needs no range checks.</summary>
    public ReadOnlySpan<Node> Nodes => _nodes;

    /// <summary>The node that one more unit leads to from <paramref name="node"/>; negative where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Child(int node, char unit)
    {
        var child = _nodes[node].Base + _codes[unit]; // with code 0 this is the base, which is no child's place
        return _nodes[child].Parent == node ? child : -1;
    }

    /// <summary>The value of a key, or <see cref="NoValue"/>.</summary>
    public int Find(ReadOnlySpan<char> key)
    {
        var node = 0;
        foreach (var unit in key)
        {
            if ((node = Child(node, unit)) < 0)
                return NoValue;
        }
        return _nodes[node].Value;
    }

    /// <summary>The length of the longest key that <paramref name="text"/> begins with; 0 where none does.</summary>
    public int LongestPrefix(ReadOnlySpan<char> text)
    {
        var longest = 0;
        var node = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if ((node = Child(node, text[i])) < 0)
                break;
            if (_nodes[node].Value != NoValue)
                longest = i + 1;
        }
        return longest;
    }
}
