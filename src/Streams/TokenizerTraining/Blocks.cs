namespace Streaming.Streams.TokenizerTraining;

/// <summary>Some neighbouring places of the text, or some neighbouring runs.</summary>
internal readonly record struct Block(int Index, int Start, int Length);

/// <summary>
/// Work cut into blocks that do not depend on the number of threads, so that neither do results that are summed block by
/// block.
/// </summary>
internal sealed class Blocks
{
    private const int ItemsABlock = 1 << 14;

    private readonly int _items;

    private Blocks(int items) => _items = items;

    /// <summary>Blocks of so many items.</summary>
    public static Blocks Of(int items) => new(items);

    public int Count => (int)(((long)_items + ItemsABlock - 1) / ItemsABlock);

    public void ForEach(int workers, CancellationToken stop, Action<Block> work) =>
        ForEach(workers, stop, () => 0, (block, _) => work(block), _ => { });

    /// <summary>Works on all blocks.</summary>
    /// <param name="workers">Threads at most.</param>
    /// <param name="stop">Ends the work.</param>
    /// <param name="begin">Makes what one thread works with.</param>
    /// <param name="work">Works on one block.</param>
    /// <param name="end">Takes what one thread worked with, one thread at a time, in no particular order.</param>
    /// <exception cref="OperationCanceledException">The work was ended.</exception>
    public void ForEach<T>(int workers, CancellationToken stop, Func<T> begin, Action<Block, T> work, Action<T> end)
    {
        var ending = new Lock();
        Parallel.For(
            0, Count, new ParallelOptions { MaxDegreeOfParallelism = workers, CancellationToken = stop }, begin,
            (index, _, local) =>
            {
                var start = index * ItemsABlock;
                work(new Block(index, start, Math.Min(ItemsABlock, _items - start)), local);
                return local;
            },
            local =>
            {
                lock (ending)
                    end(local);
            });
    }
}
