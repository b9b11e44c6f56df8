using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused.Offload;

/// <summary>
/// Page-locked host memory as the training state's home. Whoever reads or writes it here waits for what the device has under way;
/// copies by the device go by <see cref="ILanes"/>.
/// </summary>
internal sealed unsafe class HostMemory(IPageLocking locking) : IDeviceMemory, IDisposable
{
    private readonly List<HostBlock> _blocks = [];

    /// <summary>Waits until nothing on the device will write this memory any more.</summary>
    public Action Settle { get; set; } = () => { };

    /// <summary>Called before something here is written: what the device has read ahead is of no use then.</summary>
    public Action Changing { get; set; } = () => { };

    public int Multiprocessors => 0;

    /// <summary>Bytes in use.</summary>
    public long Bytes => _blocks.Sum(block => block.Bytes);

    public nint Allocate(long bytes, string purpose) => Adopt(new HostBlock(bytes));

    /// <summary>Makes a block part of this memory; others may be writing it already.</summary>
    /// <exception cref="HostMemoryException">It cannot be page-locked; it is given back with the rest.</exception>
    public nint Adopt(HostBlock block)
    {
        lock (_blocks) _blocks.Add(block);
        block.Touch();
        locking.Lock(block);
        return block.Address;
    }

    public void Clear(nint pointer, long bytes)
    {
        Changing();
        Settle();
        const long piece = 64 << 20;
        Parallel.For(0L, (bytes + piece - 1) / piece, part =>
            new Span<byte>((byte*)pointer + part * piece, (int)Math.Min(piece, bytes - part * piece)).Clear());
    }

    public void Upload<T>(nint target, ReadOnlySpan<T> source) where T : unmanaged
    {
        Changing();
        Settle();
        source.CopyTo(new Span<T>((void*)target, source.Length));
    }

    public void Download<T>(Span<T> target, nint source) where T : unmanaged
    {
        Settle();
        new ReadOnlySpan<T>((void*)source, target.Length).CopyTo(target);
    }

    /// <summary>Nothing may be under way.</summary>
    public void Dispose()
    {
        foreach (var block in _blocks)
        {
            locking.Unlock(block);
            block.Dispose();
        }
        _blocks.Clear();
    }
}
