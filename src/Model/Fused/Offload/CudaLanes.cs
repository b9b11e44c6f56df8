using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused.Offload;

/// <summary>A piece of work of a timeline, in milliseconds since it began.</summary>
/// <param name="Lane">What did it.</param>
/// <param name="Work">What it was.</param>
public readonly record struct LaneSpan(Lane Lane, string Work, double From, double To);

/// <summary>
/// Lanes as CUDA streams. They work eagerly and while the compute stream is recorded: a lane that waits for a mark of the recording
/// becomes a branch of the graph; a mark from outside of it becomes a node that waits for the mark as it stands when the graph runs.
/// </summary>
internal sealed class CudaLanes : ILanes, IDisposable
{
    private readonly CudaDevice _device;
    private readonly nint[] _streams;
    private readonly IKernelQueue[] _kernels;
    private readonly List<nint> _events = [];
    private List<(Lane Lane, string Work, nint From, nint To)>? _trace;
    private readonly nint[] _begun = new nint[4];
    private nint _traceBegan;

    public CudaLanes(CudaDevice device, KernelModule kernels)
    {
        _device = device;
        _streams = [device.Stream, NewStream(), NewStream(), NewStream()];
        _kernels = [.. _streams.Select(kernels.On)];
    }

    public IKernelQueue Kernels(Lane lane) => _kernels[(int)lane];

    public void CopyIn(nint device, nint host, long bytes) =>
        Check(cuMemcpyHtoDAsync_v2(device, host, (nuint)bytes, Stream(Lane.In)), "copy to the device");

    public void CopyOut(nint host, nint device, long bytes) =>
        Check(cuMemcpyDtoHAsync_v2(host, device, (nuint)bytes, Stream(Lane.Out)), "copy to the host");

    public void Clear(Lane lane, nint pointer, long bytes) => Check(cuMemsetD32Async(pointer, 0, (nuint)(bytes / 4), Stream(lane)), "clear memory");

    public Mark NewMark() => new(NewEvent(EventDisableTiming));

    public void Record(Mark mark, Lane lane)
    {
        Check(cuEventRecord(mark.Handle, Stream(lane)), "record an event");
        mark.Recording = _device.Recording;
    }

    public void Wait(Mark mark, Lane lane)
    {
        if (mark.Recording != 0 && mark.Recording != _device.Recording)
            throw new InvalidOperationException("an event of a graph is waited for outside of it");
        Check(cuStreamWaitEvent(Stream(lane), mark.Handle, _device.Recording == mark.Recording ? 0 : EventWaitExternal), "wait for an event");
    }

    public void Finish(Mark mark) => Check(cuEventSynchronize(mark.Handle), "wait for an event");

    /// <summary>From here on <see cref="Begin"/> and <see cref="End"/> take times.</summary>
    public void StartTrace()
    {
        _trace = [];
        _traceBegan = NewEvent(0);
        Check(cuEventRecord(_traceBegan, Stream(Lane.Compute)), "record an event");
    }

    /// <summary>What was traced, in the order of the calls; waits for it.</summary>
    public IReadOnlyList<LaneSpan> StopTrace()
    {
        foreach (var stream in _streams) Check(cuStreamSynchronize(stream), "synchronize");
        var spans = _trace!.Select(span => new LaneSpan(span.Lane, span.Work, At(span.From), At(span.To))).ToList();
        _trace = null;
        return spans;

        double At(nint moment)
        {
            Check(cuEventElapsedTime(out var time, _traceBegan, moment), "read a time");
            return time;
        }
    }

    public void Begin(Lane lane)
    {
        if (_trace is not null) _begun[(int)lane] = Moment(lane);
    }

    public void End(Lane lane, string work) => _trace?.Add((lane, work, _begun[(int)lane], Moment(lane)));

    private nint Moment(Lane lane)
    {
        var moment = NewEvent(0);
        Check(cuEventRecord(moment, Stream(lane)), "record an event");
        return moment;
    }

    private nint Stream(Lane lane) => _streams[(int)lane];

    private static nint NewStream()
    {
        Check(cuStreamCreate(out var stream, StreamNonBlocking), "create a stream");
        return stream;
    }

    private nint NewEvent(uint flags)
    {
        Check(cuEventCreate(out var created, flags), "create an event");
        _events.Add(created);
        return created;
    }

    /// <summary>Waits for all lanes.</summary>
    public void Dispose()
    {
        foreach (var stream in _streams) _ = cuStreamSynchronize(stream);
        foreach (var created in _events) _ = cuEventDestroy_v2(created);
        foreach (var stream in _streams[1..]) _ = cuStreamDestroy_v2(stream);
    }
}
