using Streaming.Model.Fused;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Libtorch;
using TorchSharp;
using static Streaming.Model.Fused.Cuda.CudaDriver;
using CudaDevice = Streaming.Model.Fused.Cuda.CudaDevice;

namespace Streaming.Model.Tests.Fused;

/// <summary>
/// Runs kernels on the first GPU, compiled as for training. Fresh memory and a band behind it hold NaN in every width; what is written
/// into the band shows when the memory is freed. Each launch is awaited, so that a failure names its kernel.
/// </summary>
internal sealed class CudaKernelDevice : IKernelDevice
{
    private const int BandBytes = 4096;

    private static readonly Lazy<string?> Missing = new(WhyMissing);
    private static readonly Lazy<CudaDevice> Gpu = new(Open);
    private static readonly Lock Turn = new(); // one stream and one context for all tests

    private readonly KernelModule _kernels;
    private readonly Dictionary<nint, long> _sizes = [];

    private CudaKernelDevice(KernelModule kernels) => _kernels = kernels;

    /// <summary>Skips the calling test, with the reason, where this machine has no GPU to train on.</summary>
    public static void SkipWhereMissing() => Assert.SkipWhen(Missing.Value is not null, $"needs a GPU: {Missing.Value}");

    public static CudaKernelDevice For(FusedShape shape, bool halfPrecision)
    {
        lock (Turn)
        {
            Gpu.Value.Use();
            var image = KernelCompiler.Compile(KernelSource.Text, KernelSource.Macros(shape, halfPrecision), Gpu.Value.ComputeCapability, CacheFolder);
            return new CudaKernelDevice(new KernelModule(Gpu.Value, image));
        }
    }

    /// <summary>Where kernels compiled by tests stay.</summary>
    public static string CacheFolder => Path.Combine(AppContext.BaseDirectory, "kernels");

    public nint Allocate(long bytes)
    {
        lock (Turn)
        {
            Gpu.Value.Use();
            var whole = (bytes + 3) / 4 * 4 + BandBytes;
            Check(cuMemAlloc_v2(out var pointer, (nuint)whole), $"allocate {whole} bytes");
            Check(cuMemsetD32Async(pointer, uint.MaxValue, (nuint)whole / 4, Gpu.Value.Stream), "fill");
            _sizes.Add(pointer, bytes);
            return pointer;
        }
    }

    public void Free(nint pointer)
    {
        lock (Turn)
        {
            Gpu.Value.Use();
            _sizes.Remove(pointer, out var bytes);
            var band = new byte[BandBytes];
            Gpu.Value.Download<byte>(band, pointer + (nint)((bytes + 3) / 4 * 4));
            Check(cuMemFree_v2(pointer), "free");
            if (band.AsSpan().ContainsAnyExcept((byte)0xff)) throw new InvalidOperationException($"a kernel wrote behind an array of {bytes} bytes");
        }
    }

    public void Upload(nint destination, ReadOnlySpan<byte> source)
    {
        lock (Turn)
        {
            Gpu.Value.Use();
            if (source.Length > 0) Gpu.Value.Upload(destination, source);
        }
    }

    public void Download(nint source, Span<byte> destination)
    {
        lock (Turn)
        {
            Gpu.Value.Use();
            if (destination.Length > 0) Gpu.Value.Download(destination, source);
        }
    }

    public void Launch(string kernel, Extent grid, Extent block, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (grid.Z != 1 || block.Z != 1) throw new NotSupportedException("kernels have grids and blocks of two dimensions");
        var values = new Streaming.Model.Fused.Cuda.KernelArgument[arguments.Length];
        for (var i = 0; i < values.Length; i++) values[i] = (long)arguments[i].Bits;
        lock (Turn)
        {
            Gpu.Value.Use();
            _kernels.Launch(kernel, (grid.X, grid.Y), (block.X, block.Y), values);
            Check(cuStreamSynchronize(Gpu.Value.Stream), $"run {kernel}");
        }
    }

    private static CudaDevice Open()
    {
        // NVRTC lies beside libtorch's CUDA libraries, which this maps.
        torch.InitializeDeviceType(DeviceType.CUDA);
        return new CudaDevice(0);
    }

    private static string? WhyMissing()
    {
        var status = Devices.Cuda();
        return status.Available ? null : status.Reason;
    }
}
