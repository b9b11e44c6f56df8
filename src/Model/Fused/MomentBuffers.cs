using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using Streaming.Model.Optimizers;
using static Streaming.Model.Optimizers.BlockQuantization;

namespace Streaming.Model.Fused;

/// <summary>The moments, on the device or in host memory; read and written in float32 whatever they are kept in.</summary>
internal sealed class MomentBuffers
{
    private const int ChunkBlocks = 1 << 14;

    private readonly IDeviceMemory _memory;

    // Blocks of 8-bit moments that a parameter shares with its neighbour, as last written: a block is rounded as a whole, so that the
    // second one must not see what rounding left of the first.
    private readonly Dictionary<(StateKind Kind, long Block), float[]> _shared = [];

    /// <param name="device">Where the kernels run.</param>
    /// <param name="memory">Where the moments lie.</param>
    /// <param name="plan">Where in it.</param>
    public MomentBuffers(IDeviceMemory device, IDeviceMemory memory, MomentPlan plan)
    {
        (_memory, Plan) = (memory, plan);
        Base = memory.Allocate(plan.Bytes, "the optimiser's moments");
        CodeValues = device.Allocate((FirstValues.Length + SecondValues.Length) * sizeof(float), "what 8-bit codes stand for");
        device.Upload<float>(CodeValues, [.. FirstValues, .. SecondValues]);
        if (ReferenceEquals(device, memory)) Clear(); // host memory comes as zeros
    }

    private MomentBuffers(MomentBuffers other, IDeviceMemory memory) => (_memory, Plan, Base, CodeValues) = (memory, other.Plan, other.Base, other.CodeValues);

    public MomentPlan Plan { get; }

    public nint Base { get; }

    /// <summary>What the kernel <c>adamw_8bit</c> takes as <c>values</c>.</summary>
    public nint CodeValues { get; }

    /// <inheritdoc cref="FlatBuffers.Through"/>
    public MomentBuffers Through(IDeviceMemory memory) => new(this, memory);

    public void Clear() => _memory.Clear(Base, Plan.Bytes);

    /// <summary>The device has changed the moments.</summary>
    public void Updated() => _shared.Clear();

    /// <param name="kind">First or second moment.</param>
    /// <param name="element">Where the values begin in the flat buffers; they lie in one range.</param>
    /// <param name="destination">Takes them.</param>
    public void Read(StateKind kind, long element, Span<float> destination)
    {
        var range = Plan.At(element);
        var start = element - range.Begin;
        if (range.Rule == UpdateRule.AdamW8Bit)
        {
            for (long first = start / BlockLength; first * BlockLength < start + destination.Length; first += ChunkBlocks)
            {
                var values = Load(range, kind, first, BlocksUntil(start + destination.Length, first));
                var (from, to) = Overlap(first, values.Length, start, destination.Length);
                values.AsSpan((int)(from - first * BlockLength), (int)(to - from)).CopyTo(destination[(int)(from - start)..]);
            }
        }
        else if (range.Rule == UpdateRule.Muon && kind == StateKind.SecondMoment) destination.Clear();
        else _memory.Download(destination, Base + (nint)((kind == StateKind.FirstMoment ? range.First : range.Second) + start * sizeof(float)));
    }

    /// <inheritdoc cref="Read"/>
    public void Write(StateKind kind, long element, ReadOnlySpan<float> source)
    {
        var range = Plan.At(element);
        var start = element - range.Begin;
        if (range.Rule == UpdateRule.AdamW8Bit)
        {
            for (long first = start / BlockLength; first * BlockLength < start + source.Length; first += ChunkBlocks)
            {
                var blocks = BlocksUntil(start + source.Length, first);
                var values = new float[blocks * BlockLength];
                var (from, to) = Overlap(first, values.Length, start, source.Length);
                if (from > first * BlockLength) Restore(first);
                if (to < (first + blocks) * BlockLength) Restore(first + blocks - 1);
                source[(int)(from - start)..(int)(to - start)].CopyTo(values.AsSpan((int)(from - first * BlockLength)));
                if (from > first * BlockLength) Remember(first);
                if (to < (first + blocks) * BlockLength) Remember(first + blocks - 1);
                Store(range, kind, first, values);

                void Restore(long block) => (_shared.GetValueOrDefault((kind, block)) ?? Load(range, kind, block, 1)).CopyTo(values.AsSpan((int)(block - first) * BlockLength));
                void Remember(long block) => _shared[(kind, block)] = values.AsSpan((int)(block - first) * BlockLength, BlockLength).ToArray();
            }
        }
        else if (range.Rule != UpdateRule.Muon || kind == StateKind.FirstMoment)
            _memory.Upload(Base + (nint)((kind == StateKind.FirstMoment ? range.First : range.Second) + start * sizeof(float)), source);
    }

    private static int BlocksUntil(long end, long first) => (int)Math.Min(ChunkBlocks, (end + BlockLength - 1) / BlockLength - first);

    private static (long From, long To) Overlap(long firstBlock, int length, long start, int count) =>
        (Math.Max(start, firstBlock * BlockLength), Math.Min(start + count, firstBlock * BlockLength + length));

    private float[] Load(MomentRange range, StateKind kind, long firstBlock, int blocks)
    {
        var (codes, scales, values) = (new byte[blocks * BlockLength], new float[blocks], new float[blocks * BlockLength]);
        _memory.Download<byte>(codes, CodesAt(range, kind, firstBlock));
        _memory.Download<float>(scales, ScalesAt(range, kind, firstBlock));
        Parallel.For(0, blocks, block =>
        {
            var slice = block * BlockLength;
            if (kind == StateKind.FirstMoment) RestoreFirst(codes.AsSpan(slice, BlockLength), scales[block], values.AsSpan(slice, BlockLength));
            else RestoreSecond(codes.AsSpan(slice, BlockLength), scales[block], values.AsSpan(slice, BlockLength));
        });
        return values;
    }

    private void Store(MomentRange range, StateKind kind, long firstBlock, float[] values)
    {
        var (codes, scales) = (new byte[values.Length], new float[values.Length / BlockLength]);
        Parallel.For(0, scales.Length, block =>
        {
            var slice = block * BlockLength;
            scales[block] = kind == StateKind.FirstMoment
                ? RoundFirst(values.AsSpan(slice, BlockLength), codes.AsSpan(slice, BlockLength))
                : RoundSecond(values.AsSpan(slice, BlockLength), codes.AsSpan(slice, BlockLength));
        });
        _memory.Upload<byte>(CodesAt(range, kind, firstBlock), codes);
        _memory.Upload<float>(ScalesAt(range, kind, firstBlock), scales);
    }

    private nint CodesAt(MomentRange range, StateKind kind, long block) =>
        Base + (nint)((kind == StateKind.FirstMoment ? range.First : range.Second) + block * BlockLength);

    private nint ScalesAt(MomentRange range, StateKind kind, long block) =>
        Base + (nint)((kind == StateKind.FirstMoment ? range.FirstScales : range.SecondScales) + block * sizeof(float));
}
