using System.Globalization;
using Streaming.Model.Engines;
using TorchSharp;

namespace Streaming.Model.Libtorch;

/// <summary>Whether libtorch can compute on a GPU here.</summary>
/// <param name="Available">At least one GPU is usable.</param>
/// <param name="Reason">Why not, and what helps; empty where available.</param>
/// <param name="DeviceCount">GPUs that libtorch sees.</param>
public sealed record CudaStatus(bool Available, string Reason, int DeviceCount);

/// <summary>Chooses and describes the device that a model computes on.</summary>
public static class Devices
{
    private const string CudaRemedy = "build with -p:TorchBackend=cuda, or set torch.libtorch to the torch/lib folder of a PyTorch with CUDA";

    /// <summary>NVIDIA's driver offers a GPU; known without loading libtorch.</summary>
    public static bool DriverSeesGpu => CudaDriver.WhyNot().Length == 0;

    /// <summary>Asks libtorch for its GPUs, and NVIDIA's driver for the reason where there are none.</summary>
    public static CudaStatus Cuda()
    {
        LibtorchRuntime.Load();
        if (LibtorchRuntime.CudaLoadError.Length > 0)
            return new(false, $"libtorch's CUDA library in {LibtorchRuntime.Folder} does not load: {LibtorchRuntime.CudaLoadError}", 0);
        if (!LibtorchRuntime.HasCuda)
            return new(false, $"the libtorch in {LibtorchRuntime.Folder} is built for the CPU alone: {CudaRemedy}", 0);
        if (torch.cuda.is_available())
            return new(true, "", torch.cuda.device_count());
        var reason = CudaDriver.WhyNot();
        return new(false, reason.Length > 0 ? reason : $"NVIDIA's driver sees a GPU, but the libtorch in {LibtorchRuntime.Folder} cannot use it: the driver may be older than its CUDA", 0);
    }

    /// <summary>Reads <c>auto</c> (the first GPU, else the CPU), <c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</summary>
    /// <exception cref="LibtorchException">The text names no device, or one that this machine does not have.</exception>
    public static torch.Device Parse(string text)
    {
        LibtorchRuntime.Load();
        switch (text)
        {
            case "auto":
                return Cuda().Available ? new torch.Device(DeviceType.CUDA, 0) : new torch.Device(DeviceType.CPU);
            case "cpu":
                return new torch.Device(DeviceType.CPU);
        }
        var ordinal = 0;
        if (text != "cuda" && !(text.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out ordinal)))
            throw new LibtorchException($"device '{text}' is not known: it must be auto, cpu or cuda:N");
        var status = Cuda();
        if (!status.Available)
            throw new LibtorchException($"device {text} cannot be used: {status.Reason}");
        if (ordinal >= status.DeviceCount)
            throw new LibtorchException($"device {text} does not exist: this machine has {status.DeviceCount} GPU(s), cuda:0 to cuda:{status.DeviceCount - 1}");
        return new torch.Device(DeviceType.CUDA, ordinal);
    }

    /// <summary>The device, for people: <c>cpu, 8 threads</c>, or the GPU's name, memory and compute capability.</summary>
    public static string Describe(torch.Device device) => device.type == DeviceType.CUDA
        ? CudaDriver.Describe(device.index)?.ToString() ?? $"cuda:{device.index}"
        : FormattableString.Invariant($"cpu, {torch.get_num_threads()} threads");

    /// <summary>Where on the PCI bus <c>cuda:N</c> is; null for the CPU, and where the driver does not know it.</summary>
    public static string? PciBusId(string device) => Parse(device) is { type: DeviceType.CUDA } gpu ? CudaDriver.PciBusId(Math.Max(0, gpu.index)) : null;

    /// <summary>What a device computes in where the user does not say: bf16 on a GPU that has it in hardware, float32 elsewhere.</summary>
    public static Precision DefaultPrecision(torch.Device device) =>
        device.type == DeviceType.CUDA && CudaDriver.Describe(device.index) is { HasBFloat16: true } ? Precision.BFloat16 : Precision.Float32;
}
