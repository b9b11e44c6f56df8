using System.Globalization;

namespace Streaming.Model.Fused;

/// <summary>A run does not fit into the GPU; the message names the setting to lower and the size that fits.</summary>
/// <param name="rows">Sequences of a micro-batch.</param>
/// <param name="needed">Bytes that it needs, about.</param>
/// <param name="available">Bytes that were free before the engine took any.</param>
/// <param name="remedy">What fits.</param>
/// <param name="cause">What failed.</param>
public sealed class OutOfDeviceMemoryException(int rows, long needed, long available, string remedy, Exception? cause = null)
    : Exception($"a micro-batch of {rows} needs about {Gibibytes(needed)} of device memory and {Gibibytes(available)} are free: {remedy}", cause)
{
    internal static string Gibibytes(long bytes) => (bytes / 1073741824.0).ToString("N1", CultureInfo.InvariantCulture) + " GiB";
}
