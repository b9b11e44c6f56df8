namespace Streaming.Streams.Cleaning;

/// <summary>
/// The fingerprints of a source that were seen in this epoch, in bounded memory: a log in the order in which they came and a
/// table for looking them up. When it is full, each new entry has the oldest one forgotten.
/// </summary>
/// <remarks>
/// The state when there were n entries is the n-th and the <see cref="Capacity"/> - 1 entries before it, back to the last
/// <see cref="BeginEpoch"/>; so it can be written while more come in, for as long as the log, which is a quarter longer than the
/// capacity, still has them. One thread adds and looks up; <see cref="Save"/> may run on another beside it.
/// A text that was never seen is taken for one that was with a probability of entries / 2^64: 5e-12 at 100 million.
/// </remarks>
public sealed class FingerprintIndex : IDisposable
{
    private const long LeastSlack = 1 << 21;

    /// <summary>Epochs whose beginnings are known; states of older ones are long gone.</summary>
    private const int MostEpochs = 4096;

    private const double BytesAnEntry = 1.25 * sizeof(ulong) + sizeof(ulong) * 4 / 3.0;

    private readonly Lock _gate = new();
    private readonly FingerprintLog _log;
    private readonly FingerprintTable _table;
    private readonly List<(long Start, long Epoch)> _epochs = [];
    private bool _hasForgottenEpochs;
    private long _count, _start, _held = long.MaxValue;

    /// <param name="memoryBytes">Of the full index.</param>
    public FingerprintIndex(long memoryBytes) : this(CapacityOf(memoryBytes, out var slack), slack) { }

    /// <param name="capacity">Entries that are looked up.</param>
    /// <param name="slack">Entries that may come after a state before it can no longer be written.</param>
    internal FingerprintIndex(long capacity, long slack)
    {
        Capacity = capacity;
        _log = new FingerprintLog(capacity + slack);
        _table = new FingerprintTable(capacity);
    }

    /// <summary>Entries that are looked up at most.</summary>
    public long Capacity { get; }

    /// <summary>Entries so far, forgotten ones and marks of epochs included; only grows.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Bytes that the entries take now.</summary>
    public long Bytes => _table.Bytes + Math.Min(_count, _log.Length) * sizeof(ulong);

    /// <summary>The epoch that was last begun; -1 before the first.</summary>
    public long Epoch => _epochs.Count == 0 ? -1 : _epochs[^1].Epoch;

    public static long CapacityOf(long memoryBytes, out long slack)
    {
        var capacity = (long)(memoryBytes / BytesAnEntry);
        if (capacity / 4 < LeastSlack)
            capacity = Math.Max(1, (memoryBytes - LeastSlack * sizeof(ulong)) / (sizeof(ulong) * 7 / 3 + 1));
        slack = Math.Max(LeastSlack, capacity / 4);
        return capacity;
    }

    /// <summary>Forgets everything: what comes is of another epoch. One entry marks the place, but for the very first.</summary>
    public void BeginEpoch(long epoch)
    {
        lock (_gate)
        {
            if (_count > 0)
                Append(0);
            _table.Clear();
            _start = _count;
            if (_epochs.Count == MostEpochs)
            {
                _epochs.RemoveRange(0, MostEpochs / 2);
                _hasForgottenEpochs = true;
            }
            _epochs.Add((_start, epoch));
        }
    }

    /// <summary>Has the places of a few fingerprints fetched that will be looked up soon.</summary>
    public void Prefetch(ReadOnlySpan<ulong> fingerprints)
    {
        foreach (var fingerprint in fingerprints)
            _table.Prefetch(fingerprint);
    }

    /// <summary>Whether any of them is there. 0 never is.</summary>
    public bool ContainsAny(ReadOnlySpan<ulong> fingerprints)
    {
        foreach (var fingerprint in fingerprints)
        {
            if (fingerprint != 0 && _table.Contains(fingerprint))
                return true;
        }
        return false;
    }

    /// <summary>Adds those that are not there, but for 0.</summary>
    /// <param name="fingerprints">In the order in which they are to be forgotten.</param>
    /// <param name="wasThere">Receives for each whether it was there, if it is not empty.</param>
    /// <returns>How many were there.</returns>
    public int Add(ReadOnlySpan<ulong> fingerprints, Span<bool> wasThere = default)
    {
        var known = 0;
        lock (_gate)
        {
            for (var index = 0; index < fingerprints.Length; index++)
            {
                PrefetchAround(fingerprints, index);
                var fingerprint = fingerprints[index];
                var isKnown = fingerprint != 0 && _table.Contains(fingerprint);
                if (!wasThere.IsEmpty)
                    wasThere[index] = isKnown;
                if (isKnown)
                    known++;
                else if (fingerprint != 0)
                    AddNew(fingerprint);
            }
        }
        return known;
    }

    /// <summary>Writes the state when there were so many entries. Adding goes on meanwhile.</summary>
    /// <param name="count">At most <see cref="Count"/>.</param>
    /// <param name="destination">Receives the state, see <see cref="FingerprintIndexFile"/>.</param>
    /// <exception cref="InvalidOperationException">So many have come since that the log does not have the state any more.</exception>
    public void Save(long count, Stream destination)
    {
        long first, epoch;
        lock (_gate)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _count);
            ArgumentOutOfRangeException.ThrowIfNegative(count);
            var mark = _epochs.FindLastIndex(mark => mark.Start <= count);
            epoch = mark < 0 ? -1 : _epochs[mark].Epoch;
            first = Math.Max(count - Capacity, mark < 0 ? 0 : _epochs[mark].Start);
            if (first < count && (first < _count - _log.Length || mark < 0 && _hasForgottenEpochs))
                throw new InvalidOperationException($"the duplicate index has taken {_count - count} entries since the place of the checkpoint, more than it keeps beyond its capacity of {Capacity}; give data.duplicates more memory-bytes.");
            _held = first;
        }
        try
        {
            FingerprintIndexFile.Write(destination, new(count, first, epoch), (position, entries) =>
            {
                _log.CopyTo(position, entries);
                lock (_gate)
                    _held = position + entries.Length;
            });
        }
        finally
        {
            lock (_gate)
                _held = long.MaxValue;
        }
    }

    /// <summary>Takes the state that was written when there were so many entries; before anything is added.</summary>
    /// <exception cref="InvalidDataException">It is something else, damaged, or of another count.</exception>
    public void Restore(long count, Stream source)
    {
        var header = FingerprintIndexFile.Read(source, count, (position, entries) =>
        {
            lock (_gate)
            {
                if (_count == 0)
                    _count = _start = position;
                for (var index = 0; index < entries.Length; index++)
                {
                    PrefetchAround(entries, index);
                    AddNew(entries[index]);
                }
            }
        });
        lock (_gate)
        {
            if (header.First == header.Count)
                _start = _count = header.Count;
            if (_count != header.Count) // an entry stood there twice
                throw new InvalidDataException("the duplicate index is damaged; start from another checkpoint.");
            if (header.Epoch >= 0)
                _epochs.Add((header.First, header.Epoch));
        }
    }

    public void Dispose()
    {
        _table.Dispose();
        _log.Dispose();
    }

    /// <summary>Has the places fetched that will be needed in a while: of what comes, and of what is forgotten for it.</summary>
    private void PrefetchAround(ReadOnlySpan<ulong> fingerprints, int index)
    {
        const int ahead = 16;
        if (index + ahead < fingerprints.Length)
            _table.Prefetch(fingerprints[index + ahead]);
        var forgotten = _count - Capacity + ahead;
        if (forgotten >= _start && forgotten < _count)
            _table.Prefetch(_log[forgotten]);
    }

    private void AddNew(ulong fingerprint)
    {
        var forgotten = _count - Capacity;
        if (forgotten >= _start)
            _table.Remove(_log[forgotten]);
        if (_table.Add(fingerprint))
            Append(fingerprint);
    }

    private void Append(ulong entry)
    {
        // A state that is being written is not overwritten; with its slack the log hardly ever comes to this.
        while (_count - _log.Length >= _held)
        {
            _gate.Exit();
            Thread.Sleep(1);
            _gate.Enter();
        }
        _log[_count] = entry;
        Volatile.Write(ref _count, _count + 1);
    }
}
