namespace Streaming.Model.Tests.Fused.Emulation;

public sealed class EmulatedDeviceSpec
{
    // Right and wrong kernels. Blocks are one-dimensional unless a kernel says otherwise.
    private const string Source = """
        extern "C" __global__ void indices(int* out)
        {
            int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
            int block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
            out[block * blockDim.x * blockDim.y * blockDim.z + thread] = block * 1000 + thread;
        }
        extern "C" __global__ void reverse(float* out, const float* in)
        {
            __shared__ float values[256];
            values[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
            __syncthreads();
            out[blockIdx.x * blockDim.x + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
        }
        extern "C" __global__ void reverse_unsynchronised(float* out, const float* in)
        {
            __shared__ float values[256];
            values[threadIdx.x] = in[blockIdx.x * blockDim.x + threadIdx.x];
            out[blockIdx.x * blockDim.x + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
        }
        extern "C" __global__ void neighbour(float* out, const float* in)
        {
            out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, in[threadIdx.x], 1);
        }
        // Warps from `warps` on end at once; the others sum their lanes over the block.
        extern "C" __global__ void sum_of_first_warps(float* out, const float* in, int warps)
        {
            __shared__ float sums[32];
            if (threadIdx.x / 32 >= warps) return;
            float value = in[threadIdx.x];
            for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_xor_sync(0xffffffffu, value, offset);
            if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
            __syncthreads();
            float total = 0;
            for (int i = 0; i < warps; i++) total += sums[i];
            out[threadIdx.x] = total;
        }
        extern "C" __global__ void barrier_in_a_branch(float* out)
        {
            if (threadIdx.x < 16) __syncthreads();
            else out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
        }
        extern "C" __global__ void two_barriers()
        {
            if (threadIdx.x < 32) __syncthreads();
            else
                __syncthreads();
        }
        extern "C" __global__ void shuffle_with_the_dead(float* out)
        {
            if (threadIdx.x & 1) return;
            out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
        }
        extern "C" __global__ void write(float* out, int index) { out[index] = 1.0f; }
        extern "C" __global__ void sizes(uint4* out, unsigned long long count, float scale, half x) { }
        """;

    private static readonly EmulatedDevice Device = EmulatedDevice.Compile(Source, ["half=unsigned"]);

    [Fact]
    public void Blocks_and_threads_of_three_dimensions_have_their_indices()
    {
        using var memory = new DeviceMemory(Device);
        var result = memory.Allocate<int>(2 * 3 * 2 * 5 * 2 * 3);
        Device.Launch("indices", new Extent(2, 3, 2), new Extent(5, 2, 3), result);
        Assert.Equal(Enumerable.Range(0, 12).SelectMany(block => Enumerable.Range(0, 30).Select(thread => block * 1000 + thread)), result.Download());
    }

    [Fact]
    public void A_barrier_lets_every_thread_see_what_all_wrote()
    {
        Assert.Equal(Reversed(), Reverse("reverse"));
    }

    [Fact]
    public void A_missing_barrier_shows_in_the_result()
    {
        Assert.NotEqual(Reversed(), Reverse("reverse_unsynchronised"));
    }

    [Theory, InlineData(32), InlineData(256), InlineData(1024)]
    public void A_shuffle_exchanges_values_between_lanes(int threads)
    {
        using var memory = new DeviceMemory(Device);
        var values = Enumerable.Range(0, threads).Select(i => (float)i).ToArray();
        var result = memory.Allocate<float>(threads);
        Device.Launch("neighbour", 1, threads, result, memory.Upload(values));
        Assert.Equal(values.Select(value => (float)((int)value ^ 1)), result.Download());
    }

    [Theory, InlineData(1), InlineData(3), InlineData(8)]
    public void Barriers_and_shuffles_do_not_wait_for_warps_that_ended(int warps)
    {
        using var memory = new DeviceMemory(Device);
        var result = memory.Allocate<float>(256);
        Device.Launch("sum_of_first_warps", 1, 256, result, memory.Upload(Enumerable.Repeat(1.0f, 256).ToArray()), warps);
        Assert.All(result.Download().Take(warps * 32), value => Assert.Equal(warps * 32, value));
        Assert.All(result.Download().Skip(warps * 32), value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void A_barrier_that_part_of_a_block_never_reaches_is_an_error()
    {
        using var memory = new DeviceMemory(Device);
        var result = memory.Allocate<float>(32);
        var failure = Assert.Throws<KernelException>(() => Device.Launch("barrier_in_a_branch", 1, 32, result));
        Assert.Contains("16 threads wait for ever in a shuffle", failure.Message, StringComparison.Ordinal);
        failure = Assert.Throws<KernelException>(() => Device.Launch("two_barriers", 1, 64));
        Assert.Contains("different barriers", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shuffle_that_reads_a_lane_that_ended_is_an_error()
    {
        using var memory = new DeviceMemory(Device);
        var result = memory.Allocate<float>(32);
        var failure = Assert.Throws<KernelException>(() => Device.Launch("shuffle_with_the_dead", 1, 32, result));
        Assert.Contains("shuffles with lane", failure.Message, StringComparison.Ordinal);
        failure = Assert.Throws<KernelException>(() => Device.Launch("neighbour", 1, 33, memory.Allocate<float>(33), memory.Allocate<float>(33)));
        Assert.Contains("thread 32 shuffles with lane 1", failure.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(-1), InlineData(32)]
    public void A_write_beside_an_array_is_an_error(int index)
    {
        using var memory = new DeviceMemory(Device);
        var result = memory.Allocate<float>(32);
        var failure = Assert.Throws<KernelException>(() => Device.Launch("write", 1, 1, result, index));
        Assert.Equal("write: wrote beside an array of 128 bytes", failure.Message);
        Device.Launch("write", 1, 1, result, 31);
    }

    [Fact]
    public void Arguments_must_have_the_kinds_of_the_parameters()
    {
        var failure = Assert.Throws<KernelException>(() => Device.Launch("sizes", 1, 1, (nint)0, 4, 1.0f, 1));
        Assert.Contains("it takes (plfi) and was given (pifi)", failure.Message, StringComparison.Ordinal);
        Device.Launch("sizes", 1, 1, (nint)0, 4L, 1.0f, 1);
        Assert.Contains("no such kernel", Assert.Throws<KernelException>(() => Device.Launch("size", 1, 1)).Message, StringComparison.Ordinal);
        Assert.Contains("1 to 1024", Assert.Throws<KernelException>(() => Device.Launch("two_barriers", 1, 1025)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Source_that_does_not_compile_is_refused_with_the_compilers_words()
    {
        var failure = Assert.Throws<InvalidOperationException>(() => EmulatedDevice.Compile("int x = nothing;", []));
        Assert.Contains("'nothing' was not declared", failure.Message, StringComparison.Ordinal);
    }

    private static float[] Reversed() => [.. Enumerable.Range(0, 4).SelectMany(block => Enumerable.Range(0, 256).Select(i => (float)(block * 256 + 255 - i)))];

    private static float[] Reverse(string kernel)
    {
        using var memory = new DeviceMemory(Device);
        var result = memory.Allocate<float>(4 * 256);
        Device.Launch(kernel, 4, 256, result, memory.Upload(Enumerable.Range(0, 4 * 256).Select(i => (float)i).ToArray()));
        return result.Download();
    }
}
