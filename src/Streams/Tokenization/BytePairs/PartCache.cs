namespace Streaming.Streams.Tokenization.BytePairs;

/// <summary>
/// The ids of short texts that were segmented before. Each text has one place, and the newest of those that share it stays;
/// so a look-up costs a hash and a comparison, and nothing is ever allocated. Not thread-safe.
/// </summary>
internal sealed class PartCache
{
    // 8,192 places of 16 characters and 8 ids: 570 KB, which the second-level cache about holds.
    private const int Places_log2 = 13, MostUnits = 16, MostIds = 8;

    private readonly char[] _texts = new char[MostUnits << Places_log2];
    private readonly int[] _ids = new int[MostIds << Places_log2];
    private readonly (byte Units, byte Ids)[] _lengths = new (byte, byte)[1 << Places_log2];

    /// <summary>False where the text is not there.</summary>
    public bool TryGet(ReadOnlySpan<char> text, out ReadOnlySpan<int> ids)
    {
        ids = default;
        if (text.Length > MostUnits)
            return false;
        var place = Place(text);
        var (units, count) = _lengths[place];
        if (units != text.Length || !text.SequenceEqual(_texts.AsSpan(place * MostUnits, units)))
            return false;
        ids = _ids.AsSpan(place * MostIds, count);
        return true;
    }

    /// <summary>Keeps a text that is not empty, where it is short enough.</summary>
    public void Put(ReadOnlySpan<char> text, ReadOnlySpan<int> ids)
    {
        if (text.Length > MostUnits || ids.Length > MostIds)
            return;
        var place = Place(text);
        text.CopyTo(_texts.AsSpan(place * MostUnits));
        ids.CopyTo(_ids.AsSpan(place * MostIds));
        _lengths[place] = ((byte)text.Length, (byte)ids.Length);
    }

    private static int Place(ReadOnlySpan<char> text)
    {
        var hash = (ulong)text.Length;
        foreach (var unit in text)
            hash = (hash ^ unit) * 0x9E37_79B9_7F4A_7C15;
        return (int)(hash >> (64 - Places_log2));
    }
}
