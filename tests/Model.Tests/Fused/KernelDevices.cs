using System.Collections.Concurrent;
using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.Emulation;

namespace Streaming.Model.Tests.Fused;

/// <summary>The devices that every kernel spec runs on, and the shapes that it runs with.</summary>
public static class KernelDevices
{
    private static readonly ConcurrentDictionary<(string Name, FusedShape Shape), Lazy<IKernelDevice>> Opened = new();

    /// <summary>Names for <see cref="Open"/>.</summary>
    public static string[] Names => ["emulator"];

    /// <summary>A theory's data: every device.</summary>
    public static TheoryData<string> Each => [.. Names];

    /// <summary>A theory's data: every device with every shape of <see cref="TestShapes"/>.</summary>
    public static MatrixTheoryData<string, string> EachWithShapes => new(Names, TestShapes.Names);

    /// <summary>The kernels compiled for <paramref name="shape"/>, once a process; skips the calling test where the device is missing.</summary>
    public static IKernelDevice Open(string name, FusedShape shape) => name switch
    {
        "emulator" => Opened.GetOrAdd((name, shape), key => new(() => EmulatedDevice.For(key.Shape))).Value,
        _ => throw new ArgumentException($"no kernel device is called {name}", nameof(name)),
    };
}
