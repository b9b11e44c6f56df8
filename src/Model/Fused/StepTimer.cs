using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused;

/// <summary>Where the time of a step goes, by CUDA events between the operations; without cost unless <see cref="Active"/>.</summary>
internal sealed class StepTimer(CudaDevice device)
{
    private readonly List<(string Name, nint Event)> _laps = [];

    public bool Active { get; private set; }

    public void Start()
    {
        Active = true;
        Record("");
    }

    /// <summary>Names everything queued since the last lap.</summary>
    public void Lap(string name)
    {
        if (Active) Record(name);
    }

    /// <summary>Milliseconds and calls by name, the longest first.</summary>
    public IReadOnlyList<(string Name, double Milliseconds, int Calls)> Stop()
    {
        Active = false;
        device.Synchronize();
        var totals = new Dictionary<string, (double Time, int Calls)>();
        for (var i = 1; i < _laps.Count; i++)
        {
            Check(cuEventElapsedTime(out var time, _laps[i - 1].Event, _laps[i].Event), "read a time");
            var (sum, calls) = totals.GetValueOrDefault(_laps[i].Name);
            totals[_laps[i].Name] = (sum + time, calls + 1);
        }
        foreach (var (_, e) in _laps) _ = cuEventDestroy_v2(e);
        _laps.Clear();
        return [.. totals.Select(pair => (pair.Key, pair.Value.Time, pair.Value.Calls)).OrderByDescending(row => row.Time)];
    }

    private void Record(string name)
    {
        Check(cuEventCreate(out var e, 0), "create an event");
        Check(cuEventRecord(e, device.Stream), "record");
        _laps.Add((name, e));
    }
}
