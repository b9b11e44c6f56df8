using System.Globalization;

namespace Streaming.Model.Fused.Offload;

/// <summary>Host memory that offloading needs is not to be had; the message says what to change.</summary>
public sealed class HostMemoryException : ModelException
{
    public HostMemoryException(string message) : base(message)
    {
    }

    public HostMemoryException(string message, Exception cause) : base(message, cause)
    {
    }

    internal static string Gibibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):F1} GiB");
}
