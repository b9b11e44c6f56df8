using System.Diagnostics;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused.Offload;

/// <summary>
/// A snapshot of state that lives in host memory: copied there by all cores, beside the passes of the next step; or, where the host has
/// no room for a second one, the state itself, which stays as it is until the next update. That one then waits for whoever reads.
/// </summary>
internal sealed unsafe class HomeSnapshot : EngineSnapshot, IDeviceMemory
{
    private const long PieceBytes = 64 << 20;

    // The engine, and the run between two checkpoints: whoever holds it beside them reads.
    private const int IdleHolders = 2;

    private readonly Action _awaitHome;
    private readonly Func<long> _freeBytes;
    private readonly (nint Address, long Bytes)[] _homes;
    private readonly HomeParameter[] _parameters;
    private readonly object _gate = new(); // waited on
    private HostBlock[]? _copies;
    private Task _copied = Task.CompletedTask;

    /// <param name="model">The model.</param>
    /// <param name="names">Its parameters in the checkpoint's order.</param>
    /// <param name="buffers">Its offloaded state.</param>
    /// <param name="layout">Of the buffers.</param>
    /// <param name="awaitHome">Waits until the last update's state is at home; on any thread.</param>
    /// <param name="freeBytes">Host memory that may be taken.</param>
    public HomeSnapshot(MistralConfig model, IEnumerable<string> names, FlatBuffers buffers, ParameterLayout layout, Action awaitHome, Func<long> freeBytes)
        : base(model)
    {
        (_awaitHome, _freeBytes) = (awaitHome, freeBytes);
        _homes =
        [
            (buffers.Host!.High(0), layout.Count * sizeof(ushort)),
            (buffers.Host.Low(0), layout.Count * buffers.LowBytes),
            (buffers.Moments.Base, buffers.Moments.Plan.Bytes),
        ];
        var frozen = buffers.Through(this);
        var entries = layout.Entries.ToDictionary(entry => entry.Name);
        _parameters = [.. names.Select(name => new HomeParameter(new FusedParameter(frozen, entries[name], () => { })))];
    }

    public override IReadOnlyList<ParameterSnapshot> Parameters => _parameters;

    int IDeviceMemory.Multiprocessors => 0;

    /// <summary>The state as the last update leaves it. On the engine's thread; the one before is settled.</summary>
    public void Begin(long optimizerStep, LossScaling? lossScale)
    {
        Settle();
        ClearStall();
        (OptimizerStep, LossScale) = (optimizerStep, lossScale);
        _copied = Task.Run(() =>
        {
            _awaitHome();
            _copies ??= TryAllocate();
            for (var i = 0; i < _copies?.Length; i++) Copy(_homes[i], _copies[i].Address);
        });
    }

    /// <summary>On the engine's thread, before the state changes: waits for the copy, or for whoever reads the state itself beside the one that took it.</summary>
    public void Settle()
    {
        var began = Stopwatch.GetTimestamp();
        _copied.GetAwaiter().GetResult();
        if (_copies is null)
        {
            lock (_gate)
                while (Holders > IdleHolders) Monitor.Wait(_gate);
        }
        AddStall(began);
    }

    public override void Wait() => _copied.GetAwaiter().GetResult();

    public void Download<T>(Span<T> target, nint source)
        where T : unmanaged
    {
        for (var i = 0; i < _homes.Length; i++)
        {
            var offset = source - _homes[i].Address;
            if (offset < 0 || offset >= _homes[i].Bytes) continue;
            new ReadOnlySpan<T>((void*)((_copies?[i].Address ?? _homes[i].Address) + offset), target.Length).CopyTo(target);
            return;
        }
        throw new InvalidOperationException("the snapshot has no copy of this address");
    }

    nint IDeviceMemory.Allocate(long bytes, string purpose) => throw ReadOnly();

    void IDeviceMemory.Clear(nint pointer, long bytes) => throw ReadOnly();

    void IDeviceMemory.Upload<T>(nint target, ReadOnlySpan<T> source) => throw ReadOnly();

    protected override void Released(int holders)
    {
        lock (_gate) Monitor.PulseAll(_gate);
    }

    protected override void Free()
    {
        foreach (var copy in _copies ?? []) copy.Dispose();
    }

    // Not the last of the host's memory: text and files in the cache need some as well.
    private HostBlock[]? TryAllocate()
    {
        var bytes = _homes.Sum(home => home.Bytes);
        if (_freeBytes() < bytes + bytes / 4) return null;
        var blocks = new List<HostBlock>();
        try
        {
            foreach (var home in _homes) blocks.Add(new HostBlock(home.Bytes));
            return [.. blocks];
        }
        catch (HostMemoryException)
        {
            foreach (var block in blocks) block.Dispose();
            return null;
        }
    }

    private static void Copy((nint Address, long Bytes) home, nint copy) => Parallel.For(0L, (home.Bytes + PieceBytes - 1) / PieceBytes, piece =>
    {
        var start = piece * PieceBytes;
        var length = (int)Math.Min(PieceBytes, home.Bytes - start);
        new ReadOnlySpan<byte>((byte*)home.Address + start, length).CopyTo(new Span<byte>((byte*)copy + start, length));
    });

    private static InvalidOperationException ReadOnly() => new("a snapshot is read only");

    private sealed class HomeParameter(FusedParameter parameter) : ParameterSnapshot(parameter.Name, parameter.Shape)
    {
        public override void Read(StateKind kind, Span<float> destination) => parameter.Read(kind, destination);
    }
}
