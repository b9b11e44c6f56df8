using System.Diagnostics;
using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused.Planning;

/// <summary>What a machine does in a second, as far as a step's time depends on it.</summary>
/// <param name="Products">Floating-point operations of 16-bit products.</param>
/// <param name="DeviceMemory">Bytes that kernels read or write.</param>
/// <param name="In">Bytes from page-locked host memory to the device.</param>
/// <param name="Out">Bytes back.</param>
public sealed record MachineRates(double Products, double DeviceMemory, double In, double Out)
{
    /// <summary>An H100 80GB SXM (docs/benchmarks).</summary>
    public static MachineRates H100 { get; } = new(650e12, 2.8e12, 50e9, 50e9);

    /// <summary>
    /// Of a GPU: half a second of copies, and products by what its generation and size let expect of what was measured on an H100.
    /// </summary>
    internal static unsafe MachineRates Measure(CudaDevice device)
    {
        const long bytes = 256L << 20;
        var (first, second, host) = (device.Allocate(bytes, "a measurement"), device.Allocate(bytes, "a measurement"), device.AllocatePinned(bytes));
        var memory = 2 * Rate(() => Check(cuMemcpyDtoDAsync_v2(first, second, (nuint)bytes, device.Stream), "copy"), 16);
        var rateIn = Rate(() => Check(cuMemcpyHtoDAsync_v2(first, host, (nuint)bytes, device.Stream), "copy"), 4);
        var rateOut = Rate(() => Check(cuMemcpyDtoHAsync_v2(host, second, (nuint)bytes, device.Stream), "copy"), 4);
        return new(device.Multiprocessors / 132.0 * ProductsOf(device.ComputeCapability.Major, device.ComputeCapability.Minor), 0.95 * memory, rateIn, rateOut);

        double Rate(Action copy, int times)
        {
            copy();
            device.Synchronize();
            var began = Stopwatch.GetTimestamp();
            for (var i = 0; i < times; i++) copy();
            device.Synchronize();
            return times * bytes / Stopwatch.GetElapsedTime(began).TotalSeconds;
        }
    }

    // Dense bf16 peaks of NVIDIA's data sheets a multiprocessor, over Hopper's.
    private static double ProductsOf(int major, int minor) => H100.Products * (major, minor) switch
    {
        ( >= 9, _) => 1,
        (8, 0) => 312 / 108.0 / (989 / 132.0),
        (8, 9) => 165 / 128.0 / (989 / 132.0),
        _ => 71 / 82.0 / (989 / 132.0),
    };
}
