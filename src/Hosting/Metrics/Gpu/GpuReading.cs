namespace Streaming.Hosting.Metrics.Gpu;

/// <summary>What a GPU does at one moment; null where it does not tell.</summary>
/// <param name="BusyRatio">Share of the last moments in which a kernel ran.</param>
/// <param name="MemoryBusyRatio">Share in which device memory was read or written.</param>
/// <param name="PowerWatts">Drawn now.</param>
/// <param name="TemperatureCelsius">Of the chip.</param>
/// <param name="EnergyJoules">Since the driver was loaded.</param>
/// <param name="ClockHertz">Of the multiprocessors.</param>
/// <param name="MemoryUsedBytes">By all processes.</param>
/// <param name="MemoryTotalBytes">Of the device.</param>
/// <param name="ProcessMemoryBytes">By this process: what libtorch has reserved, and the libraries' own.</param>
internal readonly record struct GpuReading(
    double? BusyRatio, double? MemoryBusyRatio, double? PowerWatts, double? TemperatureCelsius, double? EnergyJoules, double? ClockHertz,
    double? MemoryUsedBytes, double? MemoryTotalBytes, double? ProcessMemoryBytes);
