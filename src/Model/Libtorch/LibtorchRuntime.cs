using System.Runtime.InteropServices;
using Streaming.Model.Measurement;
using TorchSharp;

namespace Streaming.Model.Libtorch;

/// <summary>
/// Loads libtorch before TorchSharp looks for it. Thread-safe; loads once a process, and whatever uses TorchSharp calls
/// <see cref="Load"/> first.
/// </summary>
public static class LibtorchRuntime
{
    private const string TorchSharpLibrary = "libLibTorchSharp.so";

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, nint> Handles = new(StringComparer.Ordinal);
    private static LibtorchLocation? _location;
    private static string _cudaLoadError = "";

    /// <summary>The folder that libtorch was loaded from; null before <see cref="Load"/>.</summary>
    public static string? Folder => _location?.Folder;

    /// <summary>What is loaded, for people: <c>libtorch with CUDA (python3's torch, /usr/lib/python3/dist-packages/torch/lib)</c>.</summary>
    public static string Description => _location is null
        ? "libtorch is not loaded"
        : $"libtorch {(HasCuda ? "with CUDA" : "for the CPU")} ({_location.Origin}, {_location.Folder})";

    /// <summary>True where libtorch's CUDA half is loaded; a GPU may still be missing, see <see cref="Devices.Cuda"/>.</summary>
    public static bool HasCuda => TryGetLibrary("torch_cuda", out _);

    /// <summary>Why libtorch's CUDA half did not load; empty where it did, or where there is none.</summary>
    internal static string CudaLoadError => _cudaLoadError;

    /// <summary>Loads libtorch and TorchSharp's native library; does nothing where they are loaded already.</summary>
    /// <param name="setting"><c>auto</c> (bundled, else LD_LIBRARY_PATH, else python3's torch), <c>bundled</c>, or a folder.</param>
    /// <exception cref="LibtorchException">Not found, or not loadable: the message says what was tried and what helps.</exception>
    public static void Load(string setting = "auto")
    {
        lock (Gate)
        {
            if (_location is not null)
            {
                if (setting != "auto" && LibtorchLocation.Find(setting).Folder != _location.Folder)
                    throw new LibtorchException($"torch.libtorch = {setting} comes too late, this process has loaded {_location.Folder}: start it anew");
                return;
            }
            if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
                throw new LibtorchException($"libtorch is used on Linux on x86-64 processors, this machine is {RuntimeInformation.RuntimeIdentifier}");
            LibtorchLocation location;
            using (StartTrace.Phase("find libtorch")) location = LibtorchLocation.Find(setting);
            SetEnvironment();
            LoadLibtorch(location);
            using (StartTrace.Phase("TorchSharp"))
            {
                LoadTorchSharp(location);
                _location = location;
                // libtorch counts the machine's cores; the runtime knows the container's share of them.
                if (torch.get_num_threads() > Environment.ProcessorCount)
                    torch.set_num_threads(Environment.ProcessorCount);
            }
        }
    }

    /// <summary>Whether there is such a libtorch, without loading it; <c>auto</c> is not looked for.</summary>
    /// <inheritdoc cref="Load"/>
    public static void Check(string setting)
    {
        if (setting != "auto")
            LibtorchLocation.Find(setting);
    }

    /// <summary>Begins <see cref="Load"/> on another thread; whoever calls it later waits for that, and learns of a failure by trying again.</summary>
    public static void BeginLoad(string setting) => new Thread(() =>
    {
        try
        {
            Load(setting);
        }
        catch (Exception)
        {
            // Nobody asked yet.
        }
    })
    { IsBackground = true }.Start();

    /// <summary>The handle of a loaded library by its short name: <c>c10</c>, <c>torch_cpu</c>, <c>c10_cuda</c>, <c>torch_cuda</c>, <c>torch</c>, <c>LibTorchSharp</c>.</summary>
    public static bool TryGetLibrary(string name, out nint handle)
    {
        lock (Gate)
            return Handles.TryGetValue(name, out handle);
    }

    /// <summary>Folders that hold libtorch and the CUDA libraries it came with (NVRTC, cuBLASLt among them).</summary>
    public static IReadOnlyList<string> LibraryFolders => _location?.DependencyFolders() ?? [];

    [DllImport("libc")]
    private static extern int setenv([MarshalAs(UnmanagedType.LPUTF8Str)] string name, [MarshalAs(UnmanagedType.LPUTF8Str)] string value, int overwrite);

    /// <summary>
    /// OpenMP's threads spin while they wait for each other, libgomp's for about a millisecond. Beside threads that read text,
    /// or other programs, whoever spins holds the core that the awaited one needs: up to a hundred times slower on a busy
    /// machine. So they soon sleep, after as many turns as libgomp itself allows where it knows of too few cores. What the
    /// user set (<c>OMP_WAIT_POLICY</c>, <c>GOMP_SPINCOUNT</c>) stays.
    /// </summary>
    /// <remarks>CUDA loads a library's kernels when they are first launched, not all of them at the start: newer drivers do so unasked.</remarks>
    private static void SetEnvironment()
    {
        _ = setenv("CUDA_MODULE_LOADING", "LAZY", overwrite: 0);
        if (Environment.GetEnvironmentVariable("OMP_WAIT_POLICY") is null)
            _ = setenv("GOMP_SPINCOUNT", "1000", overwrite: 0);
    }

    private static void LoadLibtorch(LibtorchLocation location)
    {
        var folders = location.DependencyFolders();
        // As PyTorch itself does: a library that only names shared dependencies (MKL of some builds) and makes them global.
        var globals = Path.Combine(location.Folder, "libtorch_global_deps.so");
        if (File.Exists(globals))
            DynamicLoader.TryLoad(globals, global: true, out _);
        using (StartTrace.Phase("torch_cpu"))
            foreach (var name in new[] { "c10", "torch_cpu" })
                Require(name, location, folders);
        using (StartTrace.Phase("torch_cuda"))
            if (location.HasCuda && (TryOptional("c10_cuda", location, folders) && TryOptional("torch_cuda", location, folders)))
                _cudaLoadError = "";
        Require("torch", location, folders);
    }

    private static bool TryOptional(string name, LibtorchLocation location, IReadOnlyList<string> folders)
    {
        var handle = DynamicLoader.TryLoadWithDependencies(Path.Combine(location.Folder, $"lib{name}.so"), folders, out _cudaLoadError);
        if (handle != 0)
            Handles[name] = handle;
        return handle != 0;
    }

    private static void Require(string name, LibtorchLocation location, IReadOnlyList<string> folders)
    {
        var handle = DynamicLoader.TryLoadWithDependencies(Path.Combine(location.Folder, $"lib{name}.so"), folders, out var error);
        if (handle == 0)
            throw new LibtorchException($"lib{name}.so of {location.Folder} ({location.Origin}) does not load: {error}; {Remedy(location)}");
        Handles[name] = handle;
    }

    private static string Remedy(LibtorchLocation location) => location.Origin == "bundled"
        ? "restore the packages again, or set torch.libtorch to an installed PyTorch's torch/lib"
        : "set torch.libtorch to the torch/lib folder of another PyTorch, or to bundled";

    private static void LoadTorchSharp(LibtorchLocation location)
    {
        var path = LibtorchLocation.BundledFolders().Select(folder => Path.Combine(folder, TorchSharpLibrary)).FirstOrDefault(File.Exists)
            ?? throw new LibtorchException($"{TorchSharpLibrary} does not lie beside the program ({AppContext.BaseDirectory}): build or publish it again for linux-x64");
        var handle = DynamicLoader.TryLoad(path, global: false, out var error);
        if (handle == 0 && GlibcxxRemedy.Helps(error))
            handle = LoadWithOlderLibstdcxx(path, out error);
        if (handle == 0)
        {
            throw new LibtorchException(error.Contains("undefined symbol", StringComparison.Ordinal)
                ? $"the libtorch in {location.Folder} ({location.Origin}) does not fit TorchSharp {TorchSharpVersion}, which is made for libtorch {torch.__version__}: {error}; set torch.libtorch to a PyTorch of that version, or to bundled"
                : $"{path} does not load: {error}; libtorch came from {location.Folder}");
        }
        Handles["LibTorchSharp"] = handle;
        // TorchSharp's calls then go to this very handle. Its own start-up asks the loader by name and gets the same one.
        NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, (name, _, _) => name == "LibTorchSharp" ? handle : 0);
    }

    private static nint LoadWithOlderLibstdcxx(string path, out string error)
    {
        try
        {
            return DynamicLoader.TryLoad(GlibcxxRemedy.LoadableCopy(path, GlibcxxRemedy.CacheFolder()), global: false, out error);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The cache cannot be written (a service without a home, a full disk): a copy that lives only until it is loaded.
            var folder = Directory.CreateTempSubdirectory("streaming-");
            try
            {
                return DynamicLoader.TryLoad(GlibcxxRemedy.LoadableCopy(path, folder.FullName), global: false, out error);
            }
            finally
            {
                folder.Delete(recursive: true);
            }
        }
    }

    private static string TorchSharpVersion => typeof(torch).Assembly.GetName().Version?.ToString(3) ?? "";
}
