using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused.Cuda;

/// <summary>Work recorded once on a device's stream and launched as a whole from then on, with the addresses that it was recorded with.</summary>
internal sealed class CudaGraph : IDisposable
{
    private static int s_recordings;

    private readonly CudaDevice _device;
    private readonly string _name;
    private nint _executable;

    private CudaGraph(CudaDevice device, string name, nint executable) => (_device, _name, _executable) = (device, name, executable);

    /// <summary>Records what <paramref name="queue"/> queues on the device's stream; nothing of it runs.</summary>
    /// <param name="device">The device.</param>
    /// <param name="name">What the graph does, for errors: <c>the micro-step</c>.</param>
    /// <param name="queue">Queues the work; must not synchronise.</param>
    public static CudaGraph Record(CudaDevice device, string name, Action queue)
    {
        Check(cuStreamBeginCapture_v2(device.Stream, CaptureRelaxed), $"begin the capture of {name}");
        device.Recording = Interlocked.Increment(ref s_recordings);
        try
        {
            queue();
        }
        finally
        {
            device.Recording = 0;
        }
        Check(cuStreamEndCapture(device.Stream, out var graph), $"end the capture of {name}");
        Check(cuGraphInstantiateWithFlags(out var executable, graph, 0), $"instantiate {name}");
        _ = cuGraphDestroy(graph);
        return new CudaGraph(device, name, executable);
    }

    /// <summary>Queues the work once more.</summary>
    public void Launch() => Check(cuGraphLaunch(_executable, _device.Stream), _name);

    /// <summary>The work must be over.</summary>
    public void Dispose()
    {
        if (_executable != 0) _ = cuGraphExecDestroy(_executable);
        _executable = 0;
    }
}
