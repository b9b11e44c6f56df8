using System.Runtime.InteropServices;

namespace Streaming.Model.Tests.Fused;

/// <summary>The arrays of one test on a device; disposing it frees them.</summary>
internal sealed class DeviceMemory(IKernelDevice device) : IDisposable
{
    private readonly List<nint> _pointers = [];

    /// <summary>An array that holds nothing sensible until a kernel writes it.</summary>
    public DeviceArray<T> Allocate<T>(int length) where T : unmanaged
    {
        var pointer = device.Allocate((long)length * Marshal.SizeOf<T>());
        _pointers.Add(pointer);
        return new DeviceArray<T>(device, pointer, length);
    }

    public DeviceArray<T> Upload<T>(ReadOnlySpan<T> values) where T : unmanaged
    {
        var array = Allocate<T>(values.Length);
        device.Upload(array.Pointer, MemoryMarshal.AsBytes(values));
        return array;
    }

    public DeviceArray<T> Upload<T>(T[] values) where T : unmanaged => Upload((ReadOnlySpan<T>)values);

    public void Dispose()
    {
        foreach (var pointer in _pointers) device.Free(pointer);
    }
}

/// <summary>A typed array in device memory; as an argument of a launch it is its pointer.</summary>
internal readonly record struct DeviceArray<T>(IKernelDevice Device, nint Pointer, int Length) where T : unmanaged
{
    public static implicit operator KernelArgument(DeviceArray<T> array) => array.Pointer;

    /// <summary>The array's contents, after everything launched so far.</summary>
    public T[] Download()
    {
        var values = new T[Length];
        Device.Download(Pointer, MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }
}
