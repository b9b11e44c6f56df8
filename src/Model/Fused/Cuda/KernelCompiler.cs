using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Streaming.Model.Fused.Cuda;

/// <summary>CUDA C++ to machine code by NVRTC, kept on disk by what went into it: source, macros, architecture, compiler version.</summary>
internal static unsafe class KernelCompiler
{
    /// <param name="source">One translation unit.</param>
    /// <param name="macros"><c>NAME=value</c> each.</param>
    /// <param name="capability">Compute capability of the GPU.</param>
    /// <param name="cacheFolder">Where compiled kernels stay; created when missing.</param>
    /// <returns>A cubin.</returns>
    /// <exception cref="InvalidOperationException">The source does not compile; the message holds the compiler's log.</exception>
    public static byte[] Compile(string source, IReadOnlyList<string> macros, (int Major, int Minor) capability, string cacheFolder)
    {
        var nvrtc = NativeImages.Open("libnvrtc", "libcublasLt", "libcudart", "libtorch_cuda");
        var version = Version(nvrtc);
        List<string> options = [$"--gpu-architecture=sm_{capability.Major}{capability.Minor}", "-std=c++17", "-lineinfo"];
        options.AddRange(macros.Select(macro => "-D" + macro));

        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(version + "\n" + string.Join('\n', options) + "\n" + source)))[..32];
        var cached = Path.Combine(cacheFolder, key + ".cubin");
        if (File.Exists(cached))
            return File.ReadAllBytes(cached);

        var cubin = Compile(nvrtc, source, options);
        Directory.CreateDirectory(cacheFolder);
        var aside = $"{cached}.{Environment.ProcessId}";
        File.WriteAllBytes(aside, cubin);
        File.Move(aside, cached, overwrite: true);
        return cubin;
    }

    private static string Version(nint nvrtc)
    {
        var version = (delegate* unmanaged<int*, int*, int>)NativeLibrary.GetExport(nvrtc, "nvrtcVersion");
        int major, minor;
        Check(version(&major, &minor), "nvrtcVersion");
        return $"{major}.{minor}";
    }

    private static byte[] Compile(nint nvrtc, string source, List<string> options)
    {
        var create = (delegate* unmanaged<nint*, byte*, byte*, int, nint, nint, int>)NativeLibrary.GetExport(nvrtc, "nvrtcCreateProgram");
        var compile = (delegate* unmanaged<nint, int, nint*, int>)NativeLibrary.GetExport(nvrtc, "nvrtcCompileProgram");
        var logSize = (delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(nvrtc, "nvrtcGetProgramLogSize");
        var log = (delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(nvrtc, "nvrtcGetProgramLog");
        var cubinSize = (delegate* unmanaged<nint, nuint*, int>)NativeLibrary.GetExport(nvrtc, "nvrtcGetCUBINSize");
        var cubin = (delegate* unmanaged<nint, byte*, int>)NativeLibrary.GetExport(nvrtc, "nvrtcGetCUBIN");
        var destroy = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(nvrtc, "nvrtcDestroyProgram");

        nint program;
        fixed (byte* text = Encoding.UTF8.GetBytes(source + "\0"), name = "kernels.cu\0"u8)
            Check(create(&program, text, name, 0, 0, 0), "nvrtcCreateProgram");
        var arguments = options.Select(Marshal.StringToCoTaskMemUTF8).ToArray();
        try
        {
            int code;
            fixed (nint* pointers = arguments)
                code = compile(program, arguments.Length, pointers);
            nuint size;
            if (code != 0)
            {
                Check(logSize(program, &size), "nvrtcGetProgramLogSize");
                var message = new byte[(int)size];
                fixed (byte* pointer = message)
                    Check(log(program, pointer), "nvrtcGetProgramLog");
                throw new InvalidOperationException("NVRTC: the kernels do not compile:\n" + Encoding.UTF8.GetString(message).TrimEnd('\0'));
            }
            Check(cubinSize(program, &size), "nvrtcGetCUBINSize");
            var image = new byte[(int)size];
            fixed (byte* pointer = image)
                Check(cubin(program, pointer), "nvrtcGetCUBIN");
            return image;
        }
        finally
        {
            foreach (var argument in arguments) Marshal.FreeCoTaskMem(argument);
            _ = destroy(&program);
        }
    }

    private static void Check(int code, string operation)
    {
        if (code != 0)
            throw new InvalidOperationException($"NVRTC: {operation} failed with code {code}");
    }
}
