using Streaming.Model.Fused.Cuda;

namespace Streaming.Model.Fused.Offload;

/// <summary>Work that goes on beside other work; within a lane things happen in the order of the calls.</summary>
public enum Lane
{
    /// <summary>Forward and backward passes.</summary>
    Compute,

    /// <summary>Host to device.</summary>
    In,

    /// <summary>The optimiser's kernels.</summary>
    Update,

    /// <summary>Device to host.</summary>
    Out,
}

/// <summary>A point in a lane that others wait for. The last <see cref="ILanes.Record"/> counts; one that was never recorded is past.</summary>
internal sealed class Mark(nint handle)
{
    public nint Handle { get; } = handle;

    /// <summary>The recording of a graph that it was recorded in; 0 outside.</summary>
    public int Recording { get; set; }
}

/// <summary>The GPU's compute stream, its two copy engines, and a stream for updates. Only queues; nothing here waits but <see cref="Finish"/>.</summary>
internal interface ILanes
{
    IKernelQueue Kernels(Lane lane);

    /// <summary>Queues a copy from page-locked memory in lane <see cref="Lane.In"/>.</summary>
    void CopyIn(nint device, nint host, long bytes);

    /// <summary>Queues a copy to page-locked memory in lane <see cref="Lane.Out"/>.</summary>
    void CopyOut(nint host, nint device, long bytes);

    /// <summary>Queues zeros; <paramref name="bytes"/> is a multiple of 4.</summary>
    void Clear(Lane lane, nint pointer, long bytes);

    Mark NewMark();

    /// <summary>The mark stands for everything queued in the lane so far.</summary>
    void Record(Mark mark, Lane lane);

    /// <summary>What is queued in the lane from here on happens after the mark as it was last recorded.</summary>
    void Wait(Mark mark, Lane lane);

    /// <summary>The calling thread waits.</summary>
    void Finish(Mark mark);

    /// <summary>When work in the lane begins, for a timeline; free of cost unless one is drawn.</summary>
    void Begin(Lane lane);

    /// <summary>When the work since <see cref="Begin"/> ends, and what it was.</summary>
    void End(Lane lane, string work);
}
