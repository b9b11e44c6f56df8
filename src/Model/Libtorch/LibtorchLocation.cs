using System.ComponentModel;
using System.Diagnostics;

namespace Streaming.Model.Libtorch;

/// <summary>A folder that holds libtorch, and the folders that hold what it depends on.</summary>
/// <param name="Folder">Holds <c>libtorch_cpu.so</c>.</param>
/// <param name="Origin">Where it comes from, for people: <c>bundled</c>, <c>python3's torch</c>.</param>
internal sealed record LibtorchLocation(string Folder, string Origin)
{
    private const string Marker = "libtorch_cpu.so";

    /// <summary>True where the folder holds a libtorch built with CUDA.</summary>
    public bool HasCuda => File.Exists(Path.Combine(Folder, "libtorch_cuda.so"));

    /// <summary>Folders of the NVIDIA packages that pip installs beside torch: <c>nvidia/cu13/lib</c>, <c>nvidia/cudnn/lib</c> and so on.</summary>
    public IReadOnlyList<string> DependencyFolders()
    {
        var packages = Path.GetFullPath(Path.Combine(Folder, "..", "..", "nvidia"));
        return !Directory.Exists(packages)
            ? [Folder]
            : [Folder, .. Directory.GetDirectories(packages).Order(StringComparer.Ordinal).Select(package => Path.Combine(package, "lib")).Where(Directory.Exists)];
    }

    /// <summary>Finds libtorch for the setting <c>torch.libtorch</c>.</summary>
    /// <param name="setting"><c>auto</c>, <c>bundled</c>, or a folder: libtorch's <c>lib</c>, a <c>torch</c> package, its <c>site-packages</c>.</param>
    /// <exception cref="LibtorchException">Nothing was found; the message says where it was looked for.</exception>
    public static LibtorchLocation Find(string setting) => setting switch
    {
        "bundled" => Bundled() ?? throw new LibtorchException(
            $"torch.libtorch is bundled, but no {Marker} lies beside the program ({AppContext.BaseDirectory}): build with -p:TorchBackend=cpu or cuda, or set torch.libtorch to an installed PyTorch's torch/lib"),
        // A variable that somebody set says more than what a python3 happens to have, and costs no process.
        "auto" => Bundled() ?? OfLibraryPath() ?? OfPython() ?? throw new LibtorchException(
            $"libtorch was not found: not beside the program ({AppContext.BaseDirectory}), not in LD_LIBRARY_PATH, not as python3's torch package; build with -p:TorchBackend=cpu or cuda, or set torch.libtorch to an installed PyTorch's torch/lib"),
        _ => InFolder(setting, "torch.libtorch") ?? throw new LibtorchException(
            $"torch.libtorch = {setting} holds no {Marker}: give the torch/lib folder of an installed PyTorch, or auto, or bundled"),
    };

    /// <summary>The folder itself, or where PyTorch keeps its libraries below it.</summary>
    private static LibtorchLocation? InFolder(string folder, string origin) =>
        new[] { "", "lib", Path.Combine("torch", "lib") }
            .Select(below => Path.TrimEndingDirectorySeparator(Path.GetFullPath(Path.Combine(folder, below))))
            .Where(path => File.Exists(Path.Combine(path, Marker)))
            .Select(path => new LibtorchLocation(path, origin))
            .FirstOrDefault();

    private static LibtorchLocation? Bundled() =>
        BundledFolders().Where(folder => File.Exists(Path.Combine(folder, Marker)))
            .Select(folder => new LibtorchLocation(Path.TrimEndingDirectorySeparator(folder), "bundled")).FirstOrDefault();

    /// <summary>Where the build and the publish command put native libraries, nearest first.</summary>
    public static IEnumerable<string> BundledFolders()
    {
        yield return Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native");
        yield return AppContext.BaseDirectory;
        // What the host read from the program's .deps.json: package folders, or where a single file unpacked itself.
        var search = AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") as string ?? "";
        foreach (var folder in search.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            yield return folder;
    }

    private static LibtorchLocation? OfLibraryPath() =>
        (Environment.GetEnvironmentVariable("LD_LIBRARY_PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => InFolder(folder, "LD_LIBRARY_PATH")).FirstOrDefault(found => found is not null);

    /// <summary>Asks python3 where its torch package lies, without importing it (that takes seconds).</summary>
    private static LibtorchLocation? OfPython()
    {
        const string question = "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
        try
        {
            using var python = Process.Start(new ProcessStartInfo("python3", ["-c", question])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                RedirectStandardInput = true,
            });
            if (python is null)
                return null;
            python.StandardInput.Close();
            python.ErrorDataReceived += (_, _) => { }; // drained, so that python never waits for a reader
            python.BeginErrorReadLine();
            var answer = python.StandardOutput.ReadToEndAsync();
            if (!answer.Wait(TimeSpan.FromSeconds(20)))
            {
                python.Kill(entireProcessTree: true);
                return null;
            }
            var folder = answer.Result.Trim();
            return folder.Length > 0 ? InFolder(folder, "python3's torch") : null;
        }
        catch (Exception exception) when (exception is Win32Exception or InvalidOperationException or IOException)
        {
            return null; // no python3 on this machine
        }
    }
}
