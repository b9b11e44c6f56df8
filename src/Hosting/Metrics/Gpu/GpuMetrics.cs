using Prometheus;
using Streaming.Actors;
using Streaming.Hosting.Runs;
using Streaming.Model.Libtorch;

namespace Streaming.Hosting.Metrics.Gpu;

/// <summary>
/// The GPU as NVIDIA's driver sees it, read when Prometheus asks and at most once a second. On a machine without that driver
/// there is nothing to see and no such metric.
/// </summary>
internal sealed class GpuMetrics : IRunObserver
{
    private static readonly TimeSpan _freshness = TimeSpan.FromSeconds(1);

    private readonly MetricsOptions _options;
    private readonly TimeProvider _time;
    private readonly MetricFactory _factory;
    private readonly Lock _lock = new();
    private Exported[] _gpus = [];
    private double _peak;
    private long? _readAt;

    public GpuMetrics(CollectorRegistry registry, MetricsOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _factory = Prometheus.Metrics.WithCustomRegistry(registry);
        registry.AddBeforeCollectCallback(Collect);
    }

    /// <summary>Name of the GPU that the run computes on; empty on the CPU.</summary>
    public string Name { get; private set; } = "";

    /// <summary>The first GPU's last reading; null where there is none.</summary>
    public GpuReading? Latest => _gpus is [var gpu, ..] ? gpu.Reading : null;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not RunProtocol.Started started || _gpus.Length > 0 || _options.Gpus == GpuChoice.None)
            return;
        // On the CPU the driver's library is not even loaded, unless it is asked for.
        var own = started.Device?.StartsWith("cuda", StringComparison.Ordinal) == true && Devices.PciBusId(started.Device) is { } id ? Nvml.ByPciBusId(id) : null;
        if (own is { } handle)
            Name = Nvml.NameOf(handle);
        var devices = _options.Gpus == GpuChoice.All ? Nvml.All() : own is { } one ? [one] : [];
        lock (_lock)
            _gpus = [.. devices.Select(device => new Exported(device, _factory, isOwn: own is null || device == own))];
    }

    /// <summary>Reads anew where the last reading is older than a second.</summary>
    public void Collect()
    {
        lock (_lock)
        {
            if (_gpus.Length == 0 || (_readAt is { } at && _time.GetElapsedTime(at) < _freshness))
                return;
            _readAt = _time.GetTimestamp();
            foreach (var gpu in _gpus)
                gpu.Read(ref _peak);
        }
    }

    /// <summary>One GPU and its metrics. A value that the GPU does not tell is not published.</summary>
    private sealed class Exported(nint device, MetricFactory metrics, bool isOwn)
    {
        private readonly string _gpu = Nvml.IndexOf(device).ToString(System.Globalization.CultureInfo.InvariantCulture);
        private readonly string _name = Nvml.NameOf(device);

        public GpuReading Reading { get; private set; }

        public void Read(ref double peak)
        {
            var reading = Reading = Nvml.Read(device);
            metrics.CreateGauge("streaming_gpu_info", "Always 1; the labels say which GPU it is.", "gpu", "name").WithLabels(_gpu, _name).Set(1);
            Set("streaming_gpu_utilization_ratio", "Share of the last moments in which a kernel ran on the GPU.", reading.BusyRatio);
            Set("streaming_gpu_memory_utilization_ratio", "Share of the last moments in which the GPU's memory was read or written.", reading.MemoryBusyRatio);
            Set("streaming_gpu_power_watts", "Power that the GPU draws.", reading.PowerWatts);
            Set("streaming_gpu_temperature_celsius", "Temperature of the GPU's chip.", reading.TemperatureCelsius);
            Set("streaming_gpu_clock_hertz", "Clock of the GPU's multiprocessors.", reading.ClockHertz);
            Set("streaming_gpu_memory_used_bytes", "Device memory in use by all processes.", reading.MemoryUsedBytes);
            Set("streaming_gpu_memory_size_bytes", "Device memory of the GPU.", reading.MemoryTotalBytes);
            if (reading.EnergyJoules is { } joules)
                metrics.CreateCounter("streaming_gpu_energy_joules_total", "Energy that the GPU has used since its driver was loaded.", "gpu").WithLabels(_gpu).IncTo(joules);
            // In a container with process numbers of its own the driver does not know this process: then everything on the GPU counts.
            if (!isOwn || (reading.ProcessMemoryBytes ?? reading.MemoryUsedBytes) is not { } reserved)
                return;
            peak = Math.Max(peak, reserved);
            metrics.CreateGauge("streaming_device_memory_reserved_bytes", "Device memory that this process holds: libtorch's and the libraries' own.").Set(reserved);
            metrics.CreateGauge("streaming_device_memory_peak_bytes", "The most device memory that this process was seen to hold.").Set(peak);
        }

        private void Set(string name, string help, double? value)
        {
            if (value is { } number)
                metrics.CreateGauge(name, help, "gpu").WithLabels(_gpu).Set(number);
        }
    }
}
