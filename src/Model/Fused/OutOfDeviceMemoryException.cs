namespace Streaming.Model.Fused;

/// <summary>A micro-batch does not fit into the GPU; the message names the setting to lower and the size that fits.</summary>
public sealed class OutOfDeviceMemoryException(int rows, int fits, long needed, long free, Exception cause)
    : Exception(
        $"a micro-batch of {rows} needs about {needed / 1073741824.0:N1} GiB of device memory and {free / 1073741824.0:N1} GiB are free: " +
        (fits > 0 ? $"set training.per-device-train-batch-size to {fits} or less" : "no micro-batch of this block size fits; choose a smaller model or data.block-size"), cause);
