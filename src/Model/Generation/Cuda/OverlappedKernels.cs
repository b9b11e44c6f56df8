using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Generation.Cuda;

/// <summary>
/// Launches each kernel so that it may start while the one before it still runs (programmatic dependent launch, compute capability 9.0). Such a kernel must wait
/// for the one before it (<c>griddepcontrol.wait</c>) before it reads or writes what both know.
/// </summary>
internal sealed unsafe class OverlappedKernels(CudaDevice device, KernelModule kernels) : IKernelQueue
{
    public void Launch(string name, (int X, int Y) grid, (int X, int Y) block, params ReadOnlySpan<KernelArgument> arguments)
    {
        var pointers = stackalloc void*[arguments.Length];
        var overlap = new LaunchAttribute { Id = ProgrammaticStreamSerialization, Value = 1 };
        var configuration = new LaunchConfiguration
        {
            GridX = (uint)grid.X,
            GridY = (uint)grid.Y,
            GridZ = 1,
            BlockX = (uint)block.X,
            BlockY = (uint)block.Y,
            BlockZ = 1,
            Stream = device.Stream,
            Attributes = &overlap,
            AttributeCount = 1,
        };
        fixed (KernelArgument* first = arguments)
        {
            for (var i = 0; i < arguments.Length; i++) pointers[i] = first + i;
            var code = cuLaunchKernelEx(&configuration, kernels.Function(name), pointers, null);
            if (code != 0)
                throw new CudaException(code, $"launch {name}");
        }
    }
}
