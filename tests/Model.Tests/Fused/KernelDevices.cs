using System.Collections.Concurrent;
using Streaming.Model.Fused;
using Streaming.Model.Tests.Fused.Emulation;

namespace Streaming.Model.Tests.Fused;

/// <summary>The devices that every kernel spec runs on, and the shapes that it runs with.</summary>
public static class KernelDevices
{
    private const string Float16Suffix = ", fp16";
    private static readonly ConcurrentDictionary<(string Name, FusedShape Shape), Lazy<IKernelDevice>> Opened = new();

    /// <summary>Names for <see cref="Open"/>: the CPU, and the first GPU. Kernels are compiled for bf16.</summary>
    public static string[] Names => ["emulator", "cuda"];

    /// <summary><see cref="Names"/>, and the same with kernels compiled for fp16.</summary>
    public static string[] NamesOfFormats => [.. Names, .. Names.Select(name => name + Float16Suffix)];

    /// <summary>A theory's data: every device.</summary>
    public static TheoryData<string> Each => [.. Names];

    /// <summary>A theory's data: every device in either 16-bit type.</summary>
    public static TheoryData<string> EachFormat => [.. NamesOfFormats];

    /// <summary>A theory's data: every device in fp16.</summary>
    public static TheoryData<string> EachFloat16 => [.. Names.Select(name => name + Float16Suffix)];

    /// <summary>A theory's data: every device with every shape of <see cref="TestShapes"/>.</summary>
    public static MatrixTheoryData<string, string> EachWithShapes => new(Names, TestShapes.Names);

    /// <summary>A theory's data: every device in either 16-bit type with every shape.</summary>
    public static MatrixTheoryData<string, string> EachFormatWithShapes => new(NamesOfFormats, TestShapes.Names);

    /// <summary>The kernels compiled for <paramref name="shape"/>, once a process; skips the calling test where the device is missing.</summary>
    public static IKernelDevice Open(string name, FusedShape shape)
    {
        var isFloat16 = name.EndsWith(Float16Suffix, StringComparison.Ordinal);
        switch (isFloat16 ? name[..^Float16Suffix.Length] : name)
        {
            case "emulator":
                return Opened.GetOrAdd((name, shape), key => new(() => EmulatedDevice.For(key.Shape, isFloat16))).Value;
            case "cuda":
                CudaKernelDevice.SkipWhereMissing();
                return Opened.GetOrAdd((name, shape), key => new(() => CudaKernelDevice.For(key.Shape, isFloat16))).Value;
            default:
                throw new ArgumentException($"no kernel device is called {name}", nameof(name));
        }
    }

    internal static HalfFormat FormatOf(string name) => name.EndsWith(Float16Suffix, StringComparison.Ordinal) ? HalfFormat.Float16 : HalfFormat.BFloat16;
}
