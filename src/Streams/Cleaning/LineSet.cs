using System.Numerics;

namespace Streaming.Streams.Cleaning;

/// <summary>A set of fingerprints that is emptied for every document. Not thread-safe; grows and keeps its room.</summary>
internal sealed class LineSet
{
    private ulong[] _places = new ulong[256];
    private int _mask = 255;

    /// <summary>Empties the set and makes room for <paramref name="capacity"/> fingerprints.</summary>
    public void Clear(int capacity)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(64, capacity * 2));
        if (_places.Length < size)
            _places = new ulong[size];
        _mask = size - 1;
        _places.AsSpan(0, size).Clear();
    }

    /// <summary>False where it was there already.</summary>
    public bool Add(ulong fingerprint)
    {
        fingerprint |= 1; // 0 is an empty place
        var place = (int)(fingerprint >> 32) & _mask;
        for (; _places[place] != 0; place = (place + 1) & _mask)
        {
            if (_places[place] == fingerprint)
                return false;
        }
        _places[place] = fingerprint;
        return true;
    }
}
