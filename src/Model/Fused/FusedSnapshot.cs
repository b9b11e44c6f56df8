using System.Diagnostics;
using System.Runtime.InteropServices;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused;

/// <summary>
/// A snapshot in page-locked host memory: the flat buffers as they are, copied on a stream of their own beside the passes of the next
/// step, and made float32 by whoever reads. The update waits for the copy, which is done before the passes are: a parameter's 12 bytes
/// take about as long as its share of two thousand tokens.
/// </summary>
internal sealed unsafe class FusedSnapshot : EngineSnapshot, IDeviceMemory
{
    // Page-locking holds locks of the driver: in pieces, so that a step that runs meanwhile waits for one piece at most.
    private const long PieceBytes = 128 << 20;

    private readonly CudaDevice _device;
    private readonly List<(nint Device, long Bytes, nint Host)> _pieces = [];
    private readonly FrozenParameter[] _parameters;
    private readonly nint _stream, _computed, _copied;

    private FusedSnapshot(FusedEngine engine, CudaDevice device, FlatBuffers buffers, ParameterLayout layout)
        : base(engine.Model)
    {
        _device = device;
        device.Use();
        try
        {
            Check(cuStreamCreate(out _stream, StreamNonBlocking), "create a stream");
            Check(cuEventCreate(out _computed, EventDisableTiming), "create an event");
            Check(cuEventCreate(out _copied, EventDisableTiming), "create an event");
            Add(buffers.High(0), layout.Count * sizeof(ushort));
            Add(buffers.Low(0), layout.Count * buffers.LowBytes);
            Add(buffers.Moments.Base, buffers.Moments.Plan.Bytes);
        }
        catch
        {
            Free();
            throw;
        }
        var frozen = buffers.Through(this);
        var entries = layout.Entries.ToDictionary(entry => entry.Name);
        _parameters = [.. engine.Parameters.Select(parameter => new FrozenParameter(new FusedParameter(frozen, entries[parameter.Name], () => { })))];
    }

    public override IReadOnlyList<ParameterSnapshot> Parameters => _parameters;

    int IDeviceMemory.Multiprocessors => _device.Multiprocessors;

    /// <summary>Gets the memory; null where the machine cannot lock so much. Runs on any thread.</summary>
    public static FusedSnapshot? TryCreate(FusedEngine engine, CudaDevice device, FlatBuffers buffers, ParameterLayout layout)
    {
        try
        {
            return new FusedSnapshot(engine, device, buffers, layout);
        }
        catch (CudaException exception) when (exception.IsOutOfMemory)
        {
            return null;
        }
    }

    /// <summary>Queues the copy behind what the engine has queued. On the engine's thread; the copy before is settled and read.</summary>
    public void Begin(FusedEngine engine)
    {
        var began = Stopwatch.GetTimestamp();
        ClearStall();
        (OptimizerStep, LossScale) = (engine.Step, engine.LossScale);
        Check(cuEventRecord(_computed, _device.Stream), "record an event");
        Check(cuStreamWaitEvent(_stream, _computed, 0), "wait for the step");
        foreach (var (device, bytes, host) in _pieces)
            Check(cuMemcpyAsync(host, device, (nuint)bytes, _stream), "copy the state to the host");
        Check(cuEventRecord(_copied, _stream), "record an event");
        AddStall(began);
    }

    /// <summary>On the engine's thread, before anything of the state changes: waits until it is copied, which stalls only where the passes are done first.</summary>
    public void Settle()
    {
        var ready = cuEventQuery(_copied);
        if (ready == 0)
            return;
        if (ready != NotReady)
            Check(ready, "copy the state to the host");
        _device.Synchronize();
        var began = Stopwatch.GetTimestamp();
        Check(cuEventSynchronize(_copied), "copy the state to the host");
        AddStall(began);
    }

    public override void Wait()
    {
        _device.Use();
        Check(cuEventSynchronize(_copied), "copy the state to the host");
    }

    /// <summary>Reads the copy of what lay at an address of the device when it was taken.</summary>
    public void Download<T>(Span<T> target, nint source)
        where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(target);
        foreach (var (device, length, host) in _pieces)
        {
            if (bytes.IsEmpty)
                return;
            var begin = source - device;
            if (begin < 0 || begin >= length)
                continue;
            var count = (int)Math.Min(bytes.Length, length - begin);
            new ReadOnlySpan<byte>((void*)(host + begin), count).CopyTo(bytes);
            bytes = bytes[count..];
            source += count;
        }
        if (!bytes.IsEmpty)
            throw new InvalidOperationException("the snapshot has no copy of this address");
    }

    nint IDeviceMemory.Allocate(long bytes, string purpose) => throw ReadOnly();

    void IDeviceMemory.Clear(nint pointer, long bytes) => throw ReadOnly();

    void IDeviceMemory.Upload<T>(nint target, ReadOnlySpan<T> source) => throw ReadOnly();

    protected override void Free()
    {
        _device.Use();
        if (_stream != 0) _ = cuStreamSynchronize(_stream);
        foreach (var (_, _, host) in _pieces) _ = cuMemFreeHost(host);
        if (_stream != 0) _ = cuStreamDestroy_v2(_stream);
        if (_computed != 0) _ = cuEventDestroy_v2(_computed);
        if (_copied != 0) _ = cuEventDestroy_v2(_copied);
    }

    private void Add(nint device, long bytes)
    {
        for (long begin = 0; begin < bytes; begin += PieceBytes)
        {
            var length = Math.Min(PieceBytes, bytes - begin);
            Check(cuMemHostAlloc(out var host, (nuint)length, 0), $"pin {length / 1048576.0:N0} MiB of host memory for checkpoints");
            _pieces.Add((device + (nint)begin, length, host));
        }
    }

    private static InvalidOperationException ReadOnly() => new("a snapshot is read only");

    private sealed class FrozenParameter(FusedParameter parameter) : ParameterSnapshot(parameter.Name, parameter.Shape)
    {
        public override void Read(StateKind kind, Span<float> destination) => parameter.Read(kind, destination);
    }
}
