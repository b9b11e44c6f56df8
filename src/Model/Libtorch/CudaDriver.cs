using System.Runtime.InteropServices;
using System.Text;

namespace Streaming.Model.Libtorch;

/// <summary>NVIDIA's driver library, asked directly: libtorch does not say why it sees no GPU.</summary>
internal static unsafe class CudaDriver
{
    private const string Library = "libcuda.so.1";
    private const int CapabilityMajor = 75, CapabilityMinor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR

    [DllImport(Library)] private static extern int cuInit(uint flags);
    [DllImport(Library)] private static extern int cuDeviceGetCount(out int count);
    [DllImport(Library)] private static extern int cuDeviceGet(out int device, int ordinal);
    [DllImport(Library)] private static extern int cuDeviceGetName(byte* name, int length, int device);
    [DllImport(Library)] private static extern int cuDeviceTotalMem_v2(out nuint bytes, int device);
    [DllImport(Library)] private static extern int cuDeviceGetAttribute(out int value, int attribute, int device);
    [DllImport(Library)] private static extern int cuDeviceGetPCIBusId(byte* id, int length, int device);
    [DllImport(Library)] private static extern int cuGetErrorString(int code, out nint text);

    /// <summary>Why the driver offers no GPU; empty where it offers one.</summary>
    public static string WhyNot()
    {
        if (!NativeLibrary.TryLoad(Library, out _))
            return $"NVIDIA's driver library {Library} was not found (is the driver installed, is the container started with its GPUs?)";
        var code = cuInit(0);
        var count = 0;
        if (code == 0)
            code = cuDeviceGetCount(out count);
        if (code != 0)
            return $"NVIDIA's driver answers: {ErrorText(code)} (error {code}){VisibleDevices()}";
        return count == 0 ? $"NVIDIA's driver offers no GPU{VisibleDevices()}" : "";
    }

    /// <summary>A GPU's name, memory and compute capability; null where the driver does not know it.</summary>
    public static CudaDevice? Describe(int ordinal)
    {
        if (WhyNot().Length > 0 || cuDeviceGet(out var device, ordinal) != 0)
            return null;
        var name = stackalloc byte[256];
        if (cuDeviceGetName(name, 256, device) != 0
            || cuDeviceTotalMem_v2(out var bytes, device) != 0
            || cuDeviceGetAttribute(out var major, CapabilityMajor, device) != 0
            || cuDeviceGetAttribute(out var minor, CapabilityMinor, device) != 0)
            return null;
        var length = new ReadOnlySpan<byte>(name, 256).IndexOf((byte)0);
        return new CudaDevice(ordinal, Encoding.UTF8.GetString(name, length), (long)bytes, major, minor);
    }

    /// <summary>Where on the PCI bus a GPU is, <c>0000:1B:00.0</c>: its name in NVIDIA's other libraries. Null where the driver does not know it.</summary>
    public static string? PciBusId(int ordinal)
    {
        if (WhyNot().Length > 0 || cuDeviceGet(out var device, ordinal) != 0)
            return null;
        var text = stackalloc byte[32];
        return cuDeviceGetPCIBusId(text, 32, device) == 0 ? Marshal.PtrToStringUTF8((nint)text) : null;
    }

    private static string ErrorText(int code) =>
        cuGetErrorString(code, out var text) == 0 ? Marshal.PtrToStringUTF8(text) ?? "unknown error" : "unknown error";

    private static string VisibleDevices() =>
        Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { } devices ? $"; CUDA_VISIBLE_DEVICES is '{devices}'" : "";
}

/// <summary>A GPU as NVIDIA's driver describes it.</summary>
public sealed record CudaDevice(int Ordinal, string Name, long MemoryBytes, int CapabilityMajor, int CapabilityMinor)
{
    /// <summary>bf16 matrix products in hardware: Ampere (8.0) and later.</summary>
    public bool HasBFloat16 => CapabilityMajor >= 8;

    public override string ToString() =>
        FormattableString.Invariant($"cuda:{Ordinal}, {Name}, {MemoryBytes / (double)(1L << 30):F1} GiB, compute capability {CapabilityMajor}.{CapabilityMinor}");
}
