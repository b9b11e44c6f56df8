using System.Runtime.InteropServices;

namespace Streaming.Model.Fused.Cuda;

/// <summary>The part of the CUDA driver API that the fused engine calls. Every function returns 0 or an error code.</summary>
internal static unsafe partial class CudaDriver
{
    private const string Library = "libcuda.so.1";

    public const int CaptureRelaxed = 2;
    public const uint StreamNonBlocking = 1, EventDisableTiming = 2, EventWaitExternal = 1;
    public const uint HostPortable = 1, HostMapped = 2;
    public const int NotReady = 600;
    public const int ComputeCapabilityMajor = 75, ComputeCapabilityMinor = 76, MultiprocessorCount = 16;

    [LibraryImport(Library)] public static partial int cuInit(uint flags);
    [LibraryImport(Library)] public static partial int cuDriverGetVersion(out int version);
    [LibraryImport(Library)] public static partial int cuDeviceGetCount(out int count);
    [LibraryImport(Library)] public static partial int cuDeviceGet(out int device, int ordinal);
    [LibraryImport(Library)] public static partial int cuDeviceGetName(byte* name, int length, int device);
    [LibraryImport(Library)] public static partial int cuDeviceGetAttribute(out int value, int attribute, int device);
    [LibraryImport(Library)] public static partial int cuDevicePrimaryCtxRetain(out nint context, int device);
    [LibraryImport(Library)] public static partial int cuCtxSetCurrent(nint context);
    [LibraryImport(Library)] public static partial int cuGetErrorName(int error, out nint name);

    [LibraryImport(Library)] public static partial int cuMemGetInfo_v2(out nuint free, out nuint total);
    [LibraryImport(Library)] public static partial int cuMemAlloc_v2(out nint pointer, nuint bytes);
    [LibraryImport(Library)] public static partial int cuMemFree_v2(nint pointer);
    [LibraryImport(Library)] public static partial int cuMemHostAlloc(out nint pointer, nuint bytes, uint flags);
    [LibraryImport(Library)] public static partial int cuMemFreeHost(nint pointer);
    [LibraryImport(Library)] public static partial int cuMemHostRegister_v2(nint pointer, nuint bytes, uint flags);
    [LibraryImport(Library)] public static partial int cuMemHostUnregister(nint pointer);
    [LibraryImport(Library)] public static partial int cuMemcpyHtoDAsync_v2(nint target, nint source, nuint bytes, nint stream);
    [LibraryImport(Library)] public static partial int cuMemcpyDtoHAsync_v2(nint target, nint source, nuint bytes, nint stream);
    [LibraryImport(Library)] public static partial int cuMemcpyAsync(nint target, nint source, nuint bytes, nint stream);
    [LibraryImport(Library)] public static partial int cuMemcpyHtoD_v2(nint target, nint source, nuint bytes);
    [LibraryImport(Library)] public static partial int cuMemcpyDtoH_v2(nint target, nint source, nuint bytes);
    [LibraryImport(Library)] public static partial int cuMemcpyDtoDAsync_v2(nint target, nint source, nuint bytes, nint stream);
    [LibraryImport(Library)] public static partial int cuMemsetD32Async(nint target, uint value, nuint count, nint stream);

    [LibraryImport(Library)] public static partial int cuStreamCreate(out nint stream, uint flags);
    [LibraryImport(Library)] public static partial int cuStreamSynchronize(nint stream);
    [LibraryImport(Library)] public static partial int cuStreamWaitEvent(nint stream, nint @event, uint flags);
    [LibraryImport(Library)] public static partial int cuStreamDestroy_v2(nint stream);
    [LibraryImport(Library)] public static partial int cuStreamBeginCapture_v2(nint stream, int mode);
    [LibraryImport(Library)] public static partial int cuStreamEndCapture(nint stream, out nint graph);
    [LibraryImport(Library)] public static partial int cuGraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);
    [LibraryImport(Library)] public static partial int cuGraphLaunch(nint executable, nint stream);
    [LibraryImport(Library)] public static partial int cuGraphExecDestroy(nint executable);
    [LibraryImport(Library)] public static partial int cuGraphDestroy(nint graph);

    [LibraryImport(Library)] public static partial int cuEventCreate(out nint @event, uint flags);
    [LibraryImport(Library)] public static partial int cuEventRecord(nint @event, nint stream);
    [LibraryImport(Library)] public static partial int cuEventQuery(nint @event);
    [LibraryImport(Library)] public static partial int cuEventSynchronize(nint @event);
    [LibraryImport(Library)] public static partial int cuEventElapsedTime(out float milliseconds, nint start, nint end);
    [LibraryImport(Library)] public static partial int cuEventDestroy_v2(nint @event);

    [LibraryImport(Library)] public static partial int cuModuleLoadData(out nint module, byte* image);
    [LibraryImport(Library)] public static partial int cuModuleUnload(nint module);
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int cuModuleGetFunction(out nint function, nint module, string name);
    [LibraryImport(Library)]
    public static partial int cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ,
        uint sharedBytes, nint stream, void** arguments, void** extra);
    [LibraryImport(Library)] public static partial int cuLaunchKernelEx(LaunchConfiguration* configuration, nint function, void** arguments, void** extra);

    /// <summary>CUlaunchConfig.</summary>
    public struct LaunchConfiguration
    {
        public uint GridX, GridY, GridZ, BlockX, BlockY, BlockZ, SharedBytes;
        public nint Stream;
        public LaunchAttribute* Attributes;
        public uint AttributeCount;
    }

    /// <summary>CUlaunchAttribute: an identifier, and up to 64 bytes of value behind it.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 72)]
    public struct LaunchAttribute
    {
        [FieldOffset(0)] public int Id;
        [FieldOffset(8)] public int Value;
    }

    /// <summary>CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION.</summary>
    public const int ProgrammaticStreamSerialization = 6;

    /// <exception cref="CudaException">The call failed.</exception>
    public static void Check(int code, string operation)
    {
        if (code != 0)
            throw new CudaException(code, operation);
    }
}

/// <summary>A CUDA call failed. The context may be lost: end the process rather than go on with it.</summary>
public sealed class CudaException(int code, string operation)
    : Exception($"CUDA: {operation} failed with {NameOf(code)} ({code})")
{
    private const int ErrorOutOfMemory = 2;

    public int Code { get; } = code;

    public bool IsOutOfMemory => Code == ErrorOutOfMemory;

    internal static string NameOf(int code) =>
        CudaDriver.cuGetErrorName(code, out var name) == 0 ? Marshal.PtrToStringUTF8(name) ?? "unknown error" : "unknown error";
}
