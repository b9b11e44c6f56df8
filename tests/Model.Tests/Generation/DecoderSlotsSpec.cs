using Streaming.Model.Fused;
using Streaming.Model.Generation.Cuda;
using Streaming.Model.Tests.Fused;

namespace Streaming.Model.Tests.Generation;

public sealed class DecoderSlotsSpec
{
    /// <summary>Keys and values of one text take 2 layers x context x (key heads x head size) x 2 bytes.</summary>
    [Fact]
    public void A_quarter_of_the_free_memory_holds_the_texts_unless_eight_do_not_fit_there()
    {
        var shape = FusedShape.From(TestShapes.Named("tiny").Model);
        var each = DecoderBuffers.SlotBytes(shape, context: 100);
        Assert.Equal(2L * shape.Layers * 100 * shape.KeyValueHeads * shape.HeadSize * 2, each);
        Assert.Equal(64, GpuDecoder.SlotsWithin(4 * 64 * each, shape, 100));
        Assert.Equal(64, GpuDecoder.SlotsWithin(long.MaxValue, shape, 100));
        Assert.Equal(32, GpuDecoder.SlotsWithin(4 * 64 * each - 4, shape, 100));
        Assert.Equal(16, GpuDecoder.SlotsWithin(4 * 16 * each, shape, 100));
        Assert.Equal(8, GpuDecoder.SlotsWithin(each, shape, 100));
        Assert.Equal(8, GpuDecoder.SlotsWithin(-1, shape, 100));
    }
}
