namespace Streaming.Model.Fused.Cuda;

/// <summary>Memory that kernels compute on. Copies take effect in the order of calls and launches, and are done when they return.</summary>
internal interface IDeviceMemory
{
    int Multiprocessors { get; }

    /// <summary>Memory for the device's life, 256-byte aligned, uninitialised.</summary>
    nint Allocate(long bytes, string purpose);

    /// <summary>Fills with zeros; <paramref name="bytes"/> is a multiple of 4.</summary>
    void Clear(nint pointer, long bytes);

    void Upload<T>(nint target, ReadOnlySpan<T> source) where T : unmanaged;

    void Download<T>(Span<T> target, nint source) where T : unmanaged;
}
