using Streaming.Model.Engines;
using Streaming.Model.Optimizers;

namespace Streaming.Model.Fused;

/// <summary>Which rule updates which part of the flat buffers, and where the moments of that part lie in one block of memory.</summary>
public sealed class MomentPlan
{
    private const long Alignment = 256;
    private readonly List<MomentRange> _ranges = [];

    /// <summary>
    /// The embedding, which lies first, and the norms, which lie last, always have float32 moments; so has an output projection of its
    /// own where Muon updates the layers.
    /// </summary>
    public MomentPlan(ParameterLayout layout, OptimizerKind kind)
    {
        switch (kind)
        {
            case OptimizerKind.AdamW8Bit:
                Add(UpdateRule.AdamW, 0, layout.LayersBegin);
                Add(UpdateRule.AdamW8Bit, layout.LayersBegin, layout.Norms);
                Add(UpdateRule.AdamW, layout.Norms, layout.Count);
                break;
            case OptimizerKind.Muon:
                Add(UpdateRule.AdamW, 0, layout.LayersBegin);
                Add(UpdateRule.Muon, layout.LayersBegin, layout.LayersEnd);
                Add(UpdateRule.AdamW, layout.LayersEnd, layout.Count);
                break;
            default:
                Add(UpdateRule.AdamW, 0, layout.Count);
                break;
        }
    }

    /// <summary>In the order of the flat buffers, which they cover.</summary>
    public IReadOnlyList<MomentRange> Ranges => _ranges;

    /// <summary>Bytes of all moments.</summary>
    public long Bytes { get; private set; }

    /// <summary>The range that an element belongs to.</summary>
    public MomentRange At(long element) => _ranges.First(range => element < range.End);

    private void Add(UpdateRule rule, long begin, long end)
    {
        var count = end - begin;
        if (rule == UpdateRule.AdamW8Bit)
        {
            var blocks = (count + BlockQuantization.BlockLength - 1) / BlockQuantization.BlockLength;
            _ranges.Add(new(rule, begin, end, Take(blocks * BlockQuantization.BlockLength), Take(blocks * BlockQuantization.BlockLength),
                Take(blocks * sizeof(float)), Take(blocks * sizeof(float))));
        }
        else
        {
            _ranges.Add(new(rule, begin, end, Take(count * sizeof(float)), rule == UpdateRule.Muon ? 0 : Take(count * sizeof(float)), 0, 0));
        }
    }

    private long Take(long bytes)
    {
        var offset = Bytes;
        Bytes += (bytes + Alignment - 1) / Alignment * Alignment;
        return offset;
    }
}

/// <param name="Rule">What updates it.</param>
/// <param name="Begin">First element in the flat buffers.</param>
/// <param name="End">The element after the last.</param>
/// <param name="First">Byte offset of the first moments: float32, or codes.</param>
/// <param name="Second">Byte offset of the second moments; without meaning where there are none.</param>
/// <param name="FirstScales">Byte offset of the first moments' scales, where there are any.</param>
/// <param name="SecondScales">Byte offset of the second moments' scales.</param>
public sealed record MomentRange(UpdateRule Rule, long Begin, long End, long First, long Second, long FirstScales, long SecondScales)
{
    public long Count => End - Begin;

    /// <summary>The four parts of the moments of <paramref name="count"/> elements from <paramref name="element"/> on: byte offset and length of each, length 0 where there is none.</summary>
    /// <param name="element">In the flat buffers; the start of a block where moments have 8 bits.</param>
    /// <param name="count">Up to the range's end, or a multiple of a block.</param>
    public MomentPart[] Parts(long element, long count)
    {
        var start = element - Begin;
        if (Rule != UpdateRule.AdamW8Bit)
        {
            var bytes = count * sizeof(float);
            return [new(First + start * sizeof(float), bytes), new(Second + start * sizeof(float), Rule == UpdateRule.Muon ? 0 : bytes), default, default];
        }
        var (block, blocks) = (start / BlockQuantization.BlockLength, (count + BlockQuantization.BlockLength - 1) / BlockQuantization.BlockLength);
        long codes = blocks * BlockQuantization.BlockLength, scales = blocks * sizeof(float);
        return [new(First + start, codes), new(Second + start, codes), new(FirstScales + block * sizeof(float), scales), new(SecondScales + block * sizeof(float), scales)];
    }
}

/// <summary>A run of bytes in the memory of all moments.</summary>
public readonly record struct MomentPart(long Offset, long Bytes);
