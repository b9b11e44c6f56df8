using System.Collections.Concurrent;
using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.Emulation;

namespace Streaming.Model.Tests.Fused;

/// <summary>The devices that every kernel spec runs on.</summary>
public static class KernelDevices
{
    private static readonly ConcurrentDictionary<(string Name, FusedShape Shape), Lazy<IKernelDevice>> Opened = new();

    /// <summary>Names for <see cref="Open"/>, as a theory's data.</summary>
    public static TheoryData<string> Names => ["emulator"];

    /// <summary>The kernels compiled for <paramref name="shape"/>, once a process; skips the calling test where the device is missing.</summary>
    public static IKernelDevice Open(string name, FusedShape shape) => name switch
    {
        "emulator" => Opened.GetOrAdd((name, shape), key => new(() => EmulatedDevice.For(key.Shape))).Value,
        _ => throw new ArgumentException($"no kernel device is called {name}", nameof(name)),
    };
}
