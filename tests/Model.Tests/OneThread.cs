using Streaming.Model.Libtorch;
using Streaming.Model.Tests;

[assembly: AssemblyFixture(typeof(OneThread))]

namespace Streaming.Model.Tests;

/// <summary>
/// Computes on one thread: the tests' models are so small that a second one would only wait, and sums do not depend on
/// how many cores a machine has.
/// </summary>
public sealed class OneThread
{
    public OneThread()
    {
        LibtorchRuntime.Load();
        TorchSharp.torch.set_num_threads(1);
    }
}
