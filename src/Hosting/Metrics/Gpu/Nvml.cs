using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Hosting.Metrics.Gpu;

/// <summary>NVIDIA's management library, as far as the metrics need it; where it is absent, there are no GPUs. Thread-safe, as the library is.</summary>
internal static unsafe class Nvml
{
    private const string Library = "libnvidia-ml.so.1";
    private const int Success = 0;
    private const int InsufficientSize = 7; // NVML_ERROR_INSUFFICIENT_SIZE

    private static readonly Lazy<bool> _loaded = new(() => NativeLibrary.TryLoad(Library, out _) && nvmlInit_v2() == Success);

    /// <summary>The library is there and answers.</summary>
    public static bool IsAvailable => _loaded.Value;

    /// <summary>Handles of all GPUs that the driver shows this process.</summary>
    public static IReadOnlyList<nint> All()
    {
        if (!IsAvailable || nvmlDeviceGetCount_v2(out var count) != Success)
            return [];
        var devices = new List<nint>();
        for (uint index = 0; index < count; index++)
        {
            if (nvmlDeviceGetHandleByIndex_v2(index, out var device) == Success)
                devices.Add(device);
        }
        return devices;
    }

    /// <summary>The GPU on a PCI bus; null where the library does not know it.</summary>
    public static nint? ByPciBusId(string id) => IsAvailable && nvmlDeviceGetHandleByPciBusId_v2(id, out var device) == Success ? device : null;

    public static int IndexOf(nint device) => nvmlDeviceGetIndex(device, out var index) == Success ? (int)index : -1;

    public static string NameOf(nint device)
    {
        var name = stackalloc byte[96]; // NVML_DEVICE_NAME_V2_BUFFER_SIZE
        return nvmlDeviceGetName(device, name, 96) == Success
            ? Encoding.UTF8.GetString(name, new ReadOnlySpan<byte>(name, 96).IndexOf((byte)0))
            : "";
    }

    /// <summary>What a GPU does now; a value that it does not tell is null.</summary>
    public static GpuReading Read(nint device)
    {
        var reading = new GpuReading();
        if (nvmlDeviceGetUtilizationRates(device, out var utilization) == Success)
            reading = reading with { BusyRatio = utilization.Gpu / 100.0, MemoryBusyRatio = utilization.Memory / 100.0 };
        if (nvmlDeviceGetPowerUsage(device, out var milliwatts) == Success)
            reading = reading with { PowerWatts = milliwatts / 1e3 };
        if (nvmlDeviceGetTemperature(device, 0, out var celsius) == Success) // NVML_TEMPERATURE_GPU
            reading = reading with { TemperatureCelsius = celsius };
        if (nvmlDeviceGetTotalEnergyConsumption(device, out var millijoules) == Success)
            reading = reading with { EnergyJoules = millijoules / 1e3 };
        if (nvmlDeviceGetClockInfo(device, 1, out var megahertz) == Success) // NVML_CLOCK_SM
            reading = reading with { ClockHertz = megahertz * 1e6 };
        if (nvmlDeviceGetMemoryInfo(device, out var memory) == Success)
            reading = reading with { MemoryUsedBytes = (double)memory.Used, MemoryTotalBytes = (double)memory.Total };
        return reading with { ProcessMemoryBytes = MemoryOfThisProcess(device) };
    }

    /// <summary>Null where the library does not list this process: in a container with process numbers of its own, say.</summary>
    private static double? MemoryOfThisProcess(nint device)
    {
        uint count = 0;
        var code = nvmlDeviceGetComputeRunningProcesses_v3(device, ref count, null);
        if (code is not (Success or InsufficientSize) || count is 0 or > 4096)
            return null;
        count += 8; // others may have started since
        var processes = new ProcessInfo[count];
        fixed (ProcessInfo* first = processes)
        {
            if (nvmlDeviceGetComputeRunningProcesses_v3(device, ref count, first) != Success)
                return null;
        }
        foreach (var process in processes.AsSpan(0, (int)count))
        {
            if (process.ProcessId == Environment.ProcessId && process.UsedBytes != ulong.MaxValue) // NVML_VALUE_NOT_AVAILABLE
                return process.UsedBytes;
        }
        return null;
    }

    private struct Utilization
    {
        public uint Gpu, Memory;
    }

    private struct Memory
    {
        public ulong Total, Free, Used;
    }

    /// <summary>nvmlProcessInfo_t.</summary>
    private struct ProcessInfo
    {
        public uint ProcessId;
        public ulong UsedBytes;
        public uint GpuInstance, ComputeInstance;
    }

    [DllImport(Library)] private static extern int nvmlInit_v2();
    [DllImport(Library)] private static extern int nvmlDeviceGetCount_v2(out uint count);
    [DllImport(Library)] private static extern int nvmlDeviceGetHandleByIndex_v2(uint index, out nint device);
    [DllImport(Library)] private static extern int nvmlDeviceGetHandleByPciBusId_v2([MarshalAs(UnmanagedType.LPUTF8Str)] string id, out nint device);
    [DllImport(Library)] private static extern int nvmlDeviceGetIndex(nint device, out uint index);
    [DllImport(Library)] private static extern int nvmlDeviceGetName(nint device, byte* name, uint length);
    [DllImport(Library)] private static extern int nvmlDeviceGetUtilizationRates(nint device, out Utilization utilization);
    [DllImport(Library)] private static extern int nvmlDeviceGetPowerUsage(nint device, out uint milliwatts);
    [DllImport(Library)] private static extern int nvmlDeviceGetTemperature(nint device, int sensor, out uint celsius);
    [DllImport(Library)] private static extern int nvmlDeviceGetTotalEnergyConsumption(nint device, out ulong millijoules);
    [DllImport(Library)] private static extern int nvmlDeviceGetClockInfo(nint device, int clock, out uint megahertz);
    [DllImport(Library)] private static extern int nvmlDeviceGetMemoryInfo(nint device, out Memory memory);
    [DllImport(Library)] private static extern int nvmlDeviceGetComputeRunningProcesses_v3(nint device, ref uint count, ProcessInfo* processes);
}
