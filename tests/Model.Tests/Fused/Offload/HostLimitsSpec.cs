using Streaming.Model.Fused.Offload;

namespace Streaming.Model.Tests.Fused.Offload;

public sealed class HostLimitsSpec : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("limits").FullName;

    [Fact]
    public void The_machines_free_memory_counts_where_no_group_limits_it()
    {
        Write("proc/meminfo", "MemTotal:       131000000 kB\nMemFree:         1000 kB\nMemAvailable:   120000000 kB\n");
        Assert.Equal(120000000L * 1024, HostLimits.Available(_root));
        Write("proc/self/cgroup", "0::/user.slice/run.scope\n");
        Write("sys/fs/cgroup/user.slice/run.scope/memory.max", "max\n");
        Write("sys/fs/cgroup/user.slice/run.scope/memory.current", "5000\n");
        Assert.Equal(120000000L * 1024, HostLimits.Available(_root));
    }

    [Fact]
    public void A_group_above_the_processs_own_limits_it_too_and_cached_files_are_free()
    {
        Write("proc/meminfo", "MemAvailable:   120000000 kB\n");
        Write("proc/self/cgroup", "0::/user.slice/run.scope\n");
        Write("sys/fs/cgroup/user.slice/memory.max", "10000000\n");
        Write("sys/fs/cgroup/user.slice/memory.current", "9000000\n");
        Write("sys/fs/cgroup/user.slice/memory.stat", "anon 6000000\ninactive_file 3000000\n");
        Assert.Equal(4000000, HostLimits.Available(_root));
    }

    [Fact]
    public void Version_1_of_control_groups_is_read()
    {
        Write("proc/meminfo", "MemAvailable:   120000000 kB\n");
        Write("proc/self/cgroup", "9:cpu,cpuacct:/x\n5:memory:/docker/abc\n");
        Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8000000\n"); // in a container its own group is the root
        Write("sys/fs/cgroup/memory/memory.usage_in_bytes", "3000000\n");
        Write("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 1000000\n");
        Assert.Equal(6000000, HostLimits.Available(_root));
    }

    [Fact]
    public void This_machine_has_limits_and_a_process_a_size()
    {
        Assert.InRange(HostLimits.Available(), 1, 1L << 50);
        Assert.InRange(HostLimits.PeakResident(), 1 << 20, 1L << 45);
        Assert.NotEmpty(HostLimits.LockedMemory());
    }

    [Fact]
    public void A_block_is_zero_as_large_as_asked_and_refused_in_one_sentence_where_there_is_none()
    {
        using var block = new HostBlock(100_000);
        block.Touch();
        unsafe
        {
            Assert.True(new Span<byte>((void*)block.Address, 100_000).IndexOfAnyExcept((byte)0) < 0);
        }
        var refused = Assert.Throws<HostMemoryException>(() => new HostBlock(1L << 62));
        Assert.Contains("training.offload", refused.Message, StringComparison.Ordinal);
    }

    private void Write(string path, string text)
    {
        var file = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
