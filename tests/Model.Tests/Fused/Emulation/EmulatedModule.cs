using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Streaming.Model.Tests.Fused.Emulation;

/// <summary>Kernels compiled for the CPU by g++ behind <c>cuda_emulator.h</c>, loaded into this process.</summary>
/// <remarks>Compiled once for a source and its macros; the library stays beside the test binaries for the next run.</remarks>
internal sealed unsafe partial class EmulatedModule
{
    // Kernels read the same memory as 16-bit values and as vectors, which CUDA's compilers take as it is meant. Nothing is
    // contracted to fused multiply-adds, so that every machine computes the same.
    private static readonly string[] Flags = ["-O1", "-std=c++17", "-shared", "-fPIC", "-fno-strict-aliasing", "-ffp-contract=off", "-Wl,-z,now,-Bsymbolic"];

    private readonly delegate* unmanaged<byte*, uint*, uint*, void**, byte*, byte*> _launch;

    private EmulatedModule(string library)
    {
        var handle = NativeLibrary.Load(library);
        _launch = (delegate* unmanaged<byte*, uint*, uint*, void**, byte*, byte*>)NativeLibrary.GetExport(handle, "emulator_launch");
    }

    [GeneratedRegex("""extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(?<name>\w+)\s*\(""")]
    private static partial Regex KernelSignature();

    /// <summary>Compiles and loads; skips the calling test where there is no g++, and throws its messages where it refuses.</summary>
    public static EmulatedModule Compile(string source, IEnumerable<string> macros)
    {
        var compiler = FindCompiler();
        Assert.SkipWhen(compiler is null, "g++ was not found: kernels cannot be emulated on this machine");

        var folder = Path.Combine(AppContext.BaseDirectory, "Fused", "Emulation");
        var unit = Unit(source, macros);
        var headers = Directory.GetFiles(folder, "*.h").Order(StringComparer.Ordinal).Select(File.ReadAllText);
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', [unit, compiler!, .. Flags, .. headers])));
        var library = Path.Combine(folder, Convert.ToHexStringLower(digest)[..16] + ".so");
        if (!File.Exists(library)) Build(compiler!, unit, folder, library);
        return new EmulatedModule(library);
    }

    /// <summary>Runs every block of the grid before it returns; null, or what went wrong. One thread at a time.</summary>
    public string? Launch(string kernel, Extent grid, Extent block, ReadOnlySpan<KernelArgument> arguments)
    {
        var bits = stackalloc ulong[arguments.Length + 1];
        var values = stackalloc void*[arguments.Length + 1];
        var kinds = stackalloc byte[arguments.Length + 1];
        for (var i = 0; i < arguments.Length; i++)
        {
            bits[i] = arguments[i].Bits;
            values[i] = bits + i;
            kinds[i] = (byte)arguments[i].Kind;
        }
        kinds[arguments.Length] = 0;
        var gridSize = stackalloc uint[] { (uint)grid.X, (uint)grid.Y, (uint)grid.Z };
        var blockSize = stackalloc uint[] { (uint)block.X, (uint)block.Y, (uint)block.Z };
        fixed (byte* name = Encoding.UTF8.GetBytes(kernel + '\0'))
            return Marshal.PtrToStringUTF8((nint)_launch(name, gridSize, blockSize, values, kinds));
    }

    private static string Unit(string source, IEnumerable<string> macros)
    {
        var unit = new StringBuilder("#include \"launch.h\"\n");
        foreach (var macro in macros) unit.Append("#define ").Append(macro.Replace('=', ' ')).Append('\n');
        unit.Append(source).Append("\nstatic const emulator::Kernel kernels[] = {\n");
        foreach (Match match in KernelSignature().Matches(source)) unit.Append($"    EMULATED_KERNEL({match.Groups["name"].Value}),\n");
        return unit.Append("""
                {nullptr, nullptr, nullptr}
            };
            extern "C" const char* emulator_launch(const char* name, const unsigned* grid, const unsigned* block, void** values, const char* kinds)
            {
                return emulator::launch(kernels, name, grid, block, values, kinds);
            }

            """).ToString();
    }

    private static void Build(string compiler, string unit, string folder, string library)
    {
        var attempt = $"{library}.{Guid.NewGuid():N}";
        var start = new ProcessStartInfo(compiler) { RedirectStandardInput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        foreach (var argument in (string[])[.. Flags, "-I", folder, "-x", "c++", "-o", attempt, "-"]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{compiler} did not start");
        process.StandardInput.Write(unit);
        process.StandardInput.Close();
        var messages = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new InvalidOperationException($"{compiler} refused the kernels:\n{messages}");
        File.Move(attempt, library, overwrite: true); // whole or not there: another test run may be waiting for the same one
    }

    private static string? FindCompiler() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "g++")).FirstOrDefault(File.Exists);
}
