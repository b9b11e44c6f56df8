using Streaming.Model.Engines;
using Streaming.Model.Generation;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Generation;

public sealed class TokenGeneratorSpec
{
    [Fact]
    public void Greedy_decoding_equals_that_of_Transformers()
    {
        using var tiny = new TinyReference();
        using var model = tiny.LoadModel();
        int[] prompt = [.. tiny.Expected.ReadIntegers("prompt").Select(id => (int)id)];
        int[] expected = [.. tiny.Expected.ReadIntegers("greedy").Select(id => (int)id)];

        var added = TokenGenerator.Generate(model, prompt, expected.Length - prompt.Length, new SamplingOptions { Temperature = 0 });

        Assert.Equal(expected, prompt.Concat(added));
    }

    [Fact]
    public void Sampling_depends_on_the_seed_alone_and_takes_from_the_most_probable()
    {
        var config = TinyModels.Config;
        using var engine = new ReferenceEngine(config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(config, 1));
        IReadOnlyList<int> Sample(int seed, int topK) =>
            TokenGenerator.Generate(engine, [5, 6], 60, new SamplingOptions { Temperature = 1, TopK = topK, Seed = seed });

        var first = Sample(1, 40);

        Assert.Equal(60, first.Count);
        Assert.Equal(first, Sample(1, 40));
        Assert.NotEqual(first, Sample(2, 40));
        Assert.Equal(Sample(1, 1), TokenGenerator.Generate(engine, [5, 6], 60, new SamplingOptions { Temperature = 0 }));
    }

    [Fact]
    public void A_text_ends_at_the_stop_token_and_outgrows_the_positions()
    {
        var config = TinyModels.Config with { MaxPositions = 8 };
        using var engine = new ReferenceEngine(config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(config, 1));
        var options = new SamplingOptions { Temperature = 1, TopK = 0, Seed = 1 };

        var text = TokenGenerator.Generate(engine, [], 20, options);

        Assert.Equal(20, text.Count);
        var stopped = TokenGenerator.Generate(engine, [], 20, options with { StopToken = text[7] });
        Assert.Equal(text.Take(text.ToList().IndexOf(text[7]) + 1), stopped);
    }
}
