using System.Runtime.InteropServices;
using Streaming.Model.Fused;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Fused;

public sealed class PreparedWeightsSpec
{
    // A vocabulary that is padded, a matrix of several pieces.
    private static readonly MistralConfig Config = TestShapes.Named("tiny").Model with { VocabularySize = 5001, InitializerRange = 0.02 };

    [Fact]
    public unsafe void They_are_the_sources_weights_in_the_flat_layout_with_zeros_between()
    {
        var source = new RandomWeights(Config, 3);
        using var prepared = new PreparedWeights(Config, source);
        var (high, low) = prepared.Wait();

        var layout = new ParameterLayout(FusedShape.From(Config));
        Assert.Equal(layout.Count, prepared.Count);
        var joined = Halves.Join(new Span<ushort>((void*)high, (int)layout.Count).ToArray(), new Span<short>((void*)low, (int)layout.Count).ToArray());
        var parameters = ModelParameter.Of(Config).ToDictionary(parameter => parameter.Name);
        var isParameter = new bool[layout.Count];
        foreach (var entry in layout.Entries)
        {
            var expected = new float[entry.Count];
            source.Read(parameters[entry.Name], expected);
            Assert.Equal(expected, joined.AsSpan((int)entry.Offset, expected.Length).ToArray());
            isParameter.AsSpan((int)entry.Offset, expected.Length).Fill(true);
        }
        Assert.Contains(false, isParameter);
        Assert.All(joined.Zip(isParameter), pair => Assert.True(pair.Second || pair.First == 0));
    }

    [Fact]
    public unsafe void In_fp16_the_masters_are_whole_and_the_weights_their_rounding()
    {
        var source = new RandomWeights(Config, 3);
        using var prepared = new PreparedWeights(Config, source, halfPrecision: true);
        var (high, low) = prepared.Wait();

        var masters = new Span<float>((void*)low, (int)prepared.Count).ToArray();
        Assert.Equal(masters.Select(value => BitConverter.HalfToUInt16Bits((Half)value)), new Span<ushort>((void*)high, masters.Length).ToArray());
        var expected = new float[Config.HiddenSize * Config.VocabularySize];
        source.Read(ModelParameter.Of(Config)[0], expected);
        Assert.Equal(expected, masters[..expected.Length]);
    }

    [Fact]
    public void Many_are_split_as_one_is()
    {
        var random = new Random(1);
        foreach (var count in new[] { 0, 1, 15, 16, 17, 1000 })
        {
            var values = new float[count];
            random.NextBytes(MemoryMarshal.AsBytes(values.AsSpan()));
            var (high, low) = (new ushort[count], new short[count]);
            MasterWeight.Split(values, high, low);
            Assert.Equal(values.Select(MasterWeight.Split), high.Zip(low));
        }
    }

    [Fact]
    public void What_the_source_fails_with_is_told_to_who_waits_and_to_no_one_else()
    {
        using (new PreparedWeights(Config, new Broken()))
        {
        }
        using var prepared = new PreparedWeights(Config, new Broken());
        Assert.Equal("broken", Assert.Throws<InvalidOperationException>(() => prepared.Wait()).Message);
    }

    private sealed class Broken : IWeightSource
    {
        public void Read(ModelParameter parameter, Span<float> destination) => throw new InvalidOperationException("broken");
    }
}
