using System.Runtime.InteropServices;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using TorchSharp;

namespace Streaming.Model.Tests.Libtorch;

public sealed class LibtorchRuntimeSpec : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("libtorch-");

    public void Dispose() => _folder.Delete(recursive: true);

    private static string BundledLibrary => LibtorchLocation.BundledFolders()
        .Select(folder => Path.Combine(folder, "libLibTorchSharp.so")).FirstOrDefault(File.Exists) ?? "";

    [Fact]
    public void It_is_loaded_and_computes()
    {
        LibtorchRuntime.Load();
        LibtorchRuntime.Load();

        using var scope = torch.NewDisposeScope();
        Assert.Equal(4, torch.ones(4).sum().ToSingle());
        Assert.True(LibtorchRuntime.TryGetLibrary("torch_cpu", out var handle));
        Assert.True(NativeLibrary.TryGetExport(handle, "aoti_torch_get_data_ptr", out _));
        Assert.True(File.Exists(Path.Combine(LibtorchRuntime.Folder!, "libtorch_cpu.so")));
    }

    [Fact]
    public void A_setting_that_comes_too_late_or_leads_nowhere_is_refused()
    {
        LibtorchRuntime.Load();

        Assert.Equal(
            $"torch.libtorch = {_folder.FullName} holds no libtorch_cpu.so: give the torch/lib folder of an installed PyTorch, or auto, or bundled",
            Assert.Throws<LibtorchException>(() => LibtorchRuntime.Load(_folder.FullName)).Message);
        var lib = Directory.CreateDirectory(Path.Combine(_folder.FullName, "torch", "lib"));
        File.WriteAllText(Path.Combine(lib.FullName, "libtorch_cpu.so"), "");
        foreach (var setting in new[] { _folder.FullName, Path.Combine(_folder.FullName, "torch"), lib.FullName })
        {
            Assert.Equal(
                $"torch.libtorch = {setting} comes too late, this process has loaded {LibtorchRuntime.Folder}: start it anew",
                Assert.Throws<LibtorchException>(() => LibtorchRuntime.Load(setting)).Message);
        }
    }

    [Fact]
    public void The_folders_of_NVIDIAs_packages_beside_PyTorch_are_found()
    {
        foreach (var below in new[] { "torch/lib", "nvidia/cu13/lib", "nvidia/cudnn/lib", "nvidia/no_libraries" })
            Directory.CreateDirectory(Path.Combine(_folder.FullName, below));
        File.WriteAllText(Path.Combine(_folder.FullName, "torch/lib/libtorch_cpu.so"), "");
        File.WriteAllText(Path.Combine(_folder.FullName, "torch/lib/libtorch_cuda.so"), "");

        var location = LibtorchLocation.Find(_folder.FullName);

        Assert.True(location.HasCuda);
        Assert.Equal(
            new[] { "torch/lib", "nvidia/cu13/lib", "nvidia/cudnn/lib" }.Select(below => Path.Combine(_folder.FullName, below)),
            location.DependencyFolders());
    }

    [Fact]
    public void A_library_that_does_not_load_is_explained_by_the_loader()
    {
        var path = Path.Combine(_folder.FullName, "libdamaged.so");
        File.WriteAllText(path, "no library");

        Assert.Equal(0, DynamicLoader.TryLoad(path, global: false, out var error));

        Assert.Contains(path, error);
    }

    [Fact]
    public void The_version_that_an_older_libstdcxx_lacks_is_marked_weak_and_nothing_else_changes()
    {
        Assert.SkipWhen(BundledLibrary.Length == 0, "TorchSharp's native library does not lie beside the tests");
        var original = File.ReadAllBytes(BundledLibrary);
        var image = original.ToArray();

        Assert.True(GlibcxxRemedy.Weaken(image, GlibcxxRemedy.Version));

        var changed = Enumerable.Range(0, image.Length).Where(i => image[i] != original[i]).ToList();
        var at = Assert.Single(changed);
        Assert.Equal((0, 2), (original[at], image[at]));
        Assert.False(GlibcxxRemedy.Weaken(image, "GLIBCXX_9.9.99"));
    }

    [Fact]
    public void A_damaged_library_is_not_taken_for_one_that_can_be_remedied()
    {
        Assert.SkipWhen(BundledLibrary.Length == 0, "TorchSharp's native library does not lie beside the tests");
        var image = File.ReadAllBytes(BundledLibrary);
        Assert.False(GlibcxxRemedy.Weaken(image.AsSpan(0, 100), GlibcxxRemedy.Version));
        Assert.False(GlibcxxRemedy.Weaken(image.AsSpan(0, image.Length / 2), GlibcxxRemedy.Version));
        Assert.False(GlibcxxRemedy.Weaken([], GlibcxxRemedy.Version));
        Assert.False(GlibcxxRemedy.Weaken("text"u8.ToArray(), GlibcxxRemedy.Version));
    }

    [Fact]
    public async Task Several_processes_may_make_the_copy_at_once_and_a_damaged_copy_is_replaced()
    {
        Assert.SkipWhen(BundledLibrary.Length == 0, "TorchSharp's native library does not lie beside the tests");
        var copies = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(() => GlibcxxRemedy.LoadableCopy(BundledLibrary, _folder.FullName))));
        var copy = copies.Distinct().Single();
        var bytes = File.ReadAllBytes(copy);
        File.WriteAllBytes(copy, bytes.AsSpan(0, 1000));

        Assert.Equal(copy, GlibcxxRemedy.LoadableCopy(BundledLibrary, _folder.FullName));

        Assert.Equal(bytes, File.ReadAllBytes(copy));
        Assert.Equal(new FileInfo(BundledLibrary).Length, bytes.Length);
        Assert.Equal([Path.GetFileName(copy)], Directory.GetFiles(Path.GetDirectoryName(copy)!).Select(Path.GetFileName));
    }

    [Theory]
    [InlineData("gpu", "device 'gpu' is not known: it must be auto, cpu or cuda:N")]
    [InlineData("cuda:x", "device 'cuda:x' is not known: it must be auto, cpu or cuda:N")]
    [InlineData("cuda:-1", "device 'cuda:-1' is not known: it must be auto, cpu or cuda:N")]
    [InlineData("CPU", "device 'CPU' is not known: it must be auto, cpu or cuda:N")]
    public void An_unknown_device_is_refused(string text, string message) =>
        Assert.Equal(message, Assert.Throws<LibtorchException>(() => Devices.Parse(text)).Message);

    [Fact]
    public void Without_a_GPU_auto_is_the_CPU_and_cuda_says_why_not()
    {
        var status = Devices.Cuda();
        Assert.SkipWhen(status.Available, "this machine has a GPU");

        Assert.Equal(DeviceType.CPU, Devices.Parse("auto").type);
        Assert.Equal(Precision.Float32, Devices.DefaultPrecision(Devices.Parse("auto")));
        Assert.StartsWith("cpu, ", Devices.Describe(Devices.Parse("cpu")));
        Assert.NotEmpty(status.Reason);
        Assert.Equal($"device cuda:0 cannot be used: {status.Reason}", Assert.Throws<LibtorchException>(() => Devices.Parse("cuda:0")).Message);
    }
}
