using System.Collections.Concurrent;

namespace Streaming.Streams.Batches;

/// <summary>Keeps the token arrays of batches that the trainer gave back. Thread-safe; all arrays have one length.</summary>
internal sealed class TokenArrayPool(int length)
{
    private readonly ConcurrentBag<int[]> _arrays = [];

    public int[] Rent() => _arrays.TryTake(out var array) ? array : new int[length];

    public void Return(int[] array)
    {
        if (array.Length == length)
            _arrays.Add(array);
    }
}
