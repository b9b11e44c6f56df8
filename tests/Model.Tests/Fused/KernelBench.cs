using Streaming.Model.Fused;

namespace Streaming.Model.Tests.Fused;

/// <summary>One test's device, shape, memory and dice.</summary>
internal sealed class KernelBench : IDisposable
{
    private readonly IKernelDevice _device;
    private readonly DeviceMemory _memory;

    public KernelBench(string device, string shape = "tiny", int seed = 1)
    {
        Shape = TestShapes.Named(shape);
        Half = KernelDevices.FormatOf(device);
        Random = new Random(seed);
        _device = KernelDevices.Open(device, Shape);
        _memory = new DeviceMemory(_device);
        Device = new BenchDevice(_device);
    }

    public FusedShape Shape { get; }

    /// <summary>The 16-bit type of the device's kernels.</summary>
    public HalfFormat Half { get; }

    /// <summary>Seeded: a failure comes back with the next run.</summary>
    public Random Random { get; }

    public DeviceArray<T> Upload<T>(ReadOnlySpan<T> values) where T : unmanaged => _memory.Upload(values);
    public DeviceArray<T> Upload<T>(T[] values) where T : unmanaged => _memory.Upload(values);
    public DeviceArray<T> Allocate<T>(int length) where T : unmanaged => _memory.Allocate<T>(length);

    public ushort[] DrawHalf(int count, ValueKind kind) => Half.Draw(Random, count, kind);

    /// <summary>Master weights in the two parts that the kernels read.</summary>
    public (KernelArgument High, KernelArgument Low) UploadMasters(float[] weights)
    {
        if (Half.IsFloat16) return (Upload([.. weights.Select(weight => Half.Nearest(weight))]), Upload(weights));
        var (high, low) = Halves.Of(weights);
        return (Upload(high), Upload(low));
    }

    public void Launch(string kernel, Extent grid, Extent block, params ReadOnlySpan<KernelArgument> arguments) =>
        _device.Launch(kernel, grid, block, arguments);

    /// <summary>Launches at least <paramref name="threads"/> threads, in blocks of 256.</summary>
    public void LaunchThreads(string kernel, int threads, params ReadOnlySpan<KernelArgument> arguments) =>
        _device.Launch(kernel, (threads + 255) / 256, 256, arguments);

    /// <summary>For the engine's own classes.</summary>
    public BenchDevice Device { get; }

    public void Dispose()
    {
        _memory.Dispose();
        Device.Dispose();
    }
}
