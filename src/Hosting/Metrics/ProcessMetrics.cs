using System.Diagnostics;
using Prometheus;
using Streaming.Model.Measurement;

namespace Streaming.Hosting.Metrics;

/// <summary>Memory, garbage collection, tensors and disk of this process, read when Prometheus asks.</summary>
internal sealed class ProcessMetrics
{
    private readonly string _directory;
    private readonly Gauge _openFiles, _managed, _native, _resident, _peak, _hostAvailable, _hostTotal, _tensors, _diskFree, _diskSize;
    private readonly Counter _cpu, _pauses, _allocated;
    private readonly Counter.Child[] _collections;

    public ProcessMetrics(CollectorRegistry registry, string runDirectory)
    {
        _directory = runDirectory;
        var metrics = Prometheus.Metrics.WithCustomRegistry(registry);
        // The names that every Prometheus client gives these.
        metrics.CreateGauge("process_start_time_seconds", "When the process started, seconds since 1970.")
            .Set(new DateTimeOffset(Process.GetCurrentProcess().StartTime.ToUniversalTime()).ToUnixTimeMilliseconds() / 1e3);
        _cpu = metrics.CreateCounter("process_cpu_seconds_total", "Processor time of the process, all cores together.");
        _openFiles = metrics.CreateGauge("process_open_fds", "Open file descriptors, connections included.");
        _managed = metrics.CreateGauge("streaming_managed_memory_bytes", "Memory of the .NET heap, garbage not yet collected included.");
        _native = metrics.CreateGauge("streaming_native_memory_bytes", "Resident memory of the process beyond the .NET heap: libtorch, its tensors, pinned buffers, code.");
        _resident = metrics.CreateGauge("process_resident_memory_bytes", "Resident memory of the process.");
        _peak = metrics.CreateGauge("streaming_resident_memory_peak_bytes", "The most resident memory that the process has had.");
        _hostAvailable = metrics.CreateGauge("streaming_host_memory_available_bytes", "Memory of the machine that programs can still have.");
        _hostTotal = metrics.CreateGauge("streaming_host_memory_size_bytes", "Memory of the machine.");
        _tensors = metrics.CreateGauge("streaming_live_tensors", "Tensor objects that have not been disposed.");
        _diskFree = metrics.CreateGauge("streaming_disk_free_bytes", "Space left for this user on the file system of the run's folder.");
        _diskSize = metrics.CreateGauge("streaming_disk_size_bytes", "Size of the file system of the run's folder.");
        _pauses = metrics.CreateCounter("streaming_gc_pause_seconds_total", "Time that the garbage collector held all managed threads.");
        _allocated = metrics.CreateCounter("streaming_gc_allocated_bytes_total", "Bytes allocated on the .NET heap.");
        var collections = metrics.CreateCounter("streaming_gc_collections_total", "Garbage collections.", "generation");
        _collections = [collections.WithLabels("0"), collections.WithLabels("1"), collections.WithLabels("2")];
        registry.AddBeforeCollectCallback(Collect);
    }

    private void Collect()
    {
        var memory = ProcMemory.Read();
        var managed = GC.GetTotalMemory(forceFullCollection: false);
        _cpu.IncTo(Environment.CpuUsage.TotalTime.TotalSeconds);
        _openFiles.Set(CountOpenFiles());
        _managed.Set(managed);
        _resident.Set(memory.ResidentBytes);
        _native.Set(Math.Max(0, memory.ResidentBytes - managed));
        _peak.Set(memory.PeakBytes);
        _hostAvailable.Set(memory.HostAvailableBytes);
        _hostTotal.Set(memory.HostBytes);
        _tensors.Set(LiveTensors.Count);
        _pauses.IncTo(GC.GetTotalPauseDuration().TotalSeconds);
        _allocated.IncTo(GC.GetTotalAllocatedBytes());
        // A collection of a generation is one of the younger ones too.
        _collections[2].IncTo(GC.CollectionCount(2));
        _collections[1].IncTo(GC.CollectionCount(1) - GC.CollectionCount(2));
        _collections[0].IncTo(GC.CollectionCount(0) - GC.CollectionCount(1));
        ReadDisk();
    }

    private static int CountOpenFiles()
    {
        try
        {
            return Directory.GetFiles("/proc/self/fd").Length;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return 0; // no Linux
        }
    }

    private void ReadDisk()
    {
        try
        {
            if (!Directory.Exists(_directory))
                return;
            var disk = new DriveInfo(_directory);
            _diskFree.Set(disk.AvailableFreeSpace);
            _diskSize.Set(disk.TotalSize);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // A file system that does not answer keeps its last values.
        }
    }
}
