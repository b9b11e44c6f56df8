using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused.Cuda;

/// <summary>Compiled kernels in a GPU's context, launched by name on its stream.</summary>
internal sealed unsafe class KernelModule : IKernelQueue, IDisposable
{
    private readonly CudaDevice _device;
    private readonly Dictionary<string, nint> _functions = [];
    private readonly nint _module;

    public KernelModule(CudaDevice device, byte[] cubin)
    {
        _device = device;
        fixed (byte* image = cubin)
            Check(cuModuleLoadData(out _module, image), "load the kernels");
    }

    public void Launch(string name, (int X, int Y) grid, (int X, int Y) block, params ReadOnlySpan<KernelArgument> arguments) =>
        Launch(_device.Stream, name, grid, block, arguments);

    /// <summary>The same kernels on another stream of the device.</summary>
    public IKernelQueue On(nint stream) => new Queue(this, stream);

    private void Launch(nint stream, string name, (int X, int Y) grid, (int X, int Y) block, ReadOnlySpan<KernelArgument> arguments)
    {
        var function = Function(name);
        var pointers = stackalloc void*[arguments.Length];
        fixed (KernelArgument* first = arguments)
        {
            for (var i = 0; i < arguments.Length; i++) pointers[i] = first + i;
            var code = cuLaunchKernel(function, (uint)grid.X, (uint)grid.Y, 1, (uint)block.X, (uint)block.Y, 1, 0, stream, pointers, null);
            if (code != 0)
                throw new CudaException(code, $"launch {name}");
        }
    }

    /// <summary>The driver's handle of a kernel.</summary>
    internal nint Function(string name)
    {
        if (_functions.TryGetValue(name, out var function)) return function;
        Check(cuModuleGetFunction(out function, _module, name), $"find kernel {name}");
        _functions.Add(name, function);
        return function;
    }

    public void Dispose() => _ = cuModuleUnload(_module);

    private sealed class Queue(KernelModule module, nint stream) : IKernelQueue
    {
        public void Launch(string name, (int X, int Y) grid, (int X, int Y) block, params ReadOnlySpan<KernelArgument> arguments) =>
            module.Launch(stream, name, grid, block, arguments);
    }
}
