using Streaming.Model.Engines;

namespace Streaming.Model.Fused.Offload;

/// <summary>The training state in host memory: all weights in both halves, and where parameters are offloaded their gradients; moments beside it.</summary>
internal sealed class HostState
{
    private readonly nint _high, _low, _gradients;
    private readonly int _lowBytes;

    /// <param name="level">What is offloaded.</param>
    /// <param name="memory">Where to.</param>
    /// <param name="layout">Of the buffers.</param>
    /// <param name="high">The weights' upper halves, being filled perhaps; they become part of <paramref name="memory"/>.</param>
    /// <param name="low">Their lower halves, likewise.</param>
    /// <param name="halfPrecision">The lower ones are whole float32 masters.</param>
    public HostState(OffloadLevel level, HostMemory memory, ParameterLayout layout, HostBlock high, HostBlock low, bool halfPrecision)
    {
        (Level, Memory, _lowBytes) = (level, memory, FlatBuffers.LowBytesFor(halfPrecision));
        // Page-locking is the system's work on each page: blocks go side by side.
        var gradients = level == OffloadLevel.Parameters ? new HostBlock(layout.Count * sizeof(float)) : null;
        nint[] addresses = new nint[3];
        try
        {
            Parallel.Invoke(
                () => addresses[0] = memory.Adopt(high),
                () => addresses[1] = memory.Adopt(low),
                () => addresses[2] = gradients is null ? 0 : memory.Adopt(gradients));
        }
        catch (AggregateException failure) when (failure.InnerException is HostMemoryException refused)
        {
            throw new HostMemoryException(refused.Message, refused);
        }
        (_high, _low, _gradients) = (addresses[0], addresses[1], addresses[2]);
    }

    public OffloadLevel Level { get; }
    public HostMemory Memory { get; }

    public nint High(long element) => _high + (nint)(element * sizeof(ushort));
    public nint Low(long element) => _low + (nint)(element * _lowBytes);

    /// <summary>Where parameters are offloaded.</summary>
    public nint Gradient(long element) => _gradients + (nint)(element * sizeof(float));

    /// <summary>Host bytes that offloading keeps page-locked.</summary>
    public static long Predict(ParameterLayout layout, OptimizerKind optimizer, bool halfPrecision, OffloadLevel level) =>
        level == OffloadLevel.None ? 0
        : layout.Count * (sizeof(ushort) + FlatBuffers.LowBytesFor(halfPrecision) + (level == OffloadLevel.Parameters ? sizeof(float) : 0))
            + new MomentPlan(layout, optimizer).Bytes;
}
