namespace Streaming.Streams.Cleaning;

/// <summary>
/// The fingerprints in the order in which they came, in a ring: entry n stays until <see cref="Length"/> more have come.
/// Positions count from the start of the first run on and only grow. 0 marks that everything before was forgotten.
/// </summary>
/// <param name="length">Entries that are kept.</param>
internal sealed unsafe class FingerprintLog(long length) : IDisposable
{
    private readonly NativeWords _words = new(length);

    public long Length => length;

    public ulong this[long position]
    {
        get
        {
            var value = _words.Start[position % length];
            GC.KeepAlive(_words);
            return value;
        }
        set
        {
            _words.Start[position % length] = value;
            GC.KeepAlive(_words);
        }
    }

    /// <summary>Copies the entries from a position on.</summary>
    public void CopyTo(long position, Span<ulong> destination)
    {
        for (var index = 0; index < destination.Length; index++)
            destination[index] = this[position + index];
    }

    public void Dispose() => _words.Dispose();
}
