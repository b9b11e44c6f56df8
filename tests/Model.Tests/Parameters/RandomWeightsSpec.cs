using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Parameters;

public sealed class RandomWeightsSpec
{
    private static readonly MistralConfig Config = TinyModels.Config with { VocabularySize = 2000, PadTokenId = 7 };

    private static float[] Read(string name, int seed, MistralConfig? config = null)
    {
        config ??= Config;
        var parameter = ModelParameter.Of(config).Single(candidate => candidate.Name == name);
        var values = new float[parameter.Count];
        new RandomWeights(config, seed).Read(parameter, values);
        return values;
    }

    [Fact]
    public void Matrices_are_normal_with_the_deviation_of_the_configuration()
    {
        var values = Read("lm_head.weight", seed: 1);

        var deviation = Math.Sqrt(values.Average(value => (double)value * value));
        // 64,000 samples: the mean's own deviation is 0.02 / 253, that of the deviation 0.02 / 358. Five of them allowed.
        Assert.Equal(0, values.Average(), 5 * 0.02 / 253);
        Assert.Equal(0.02, deviation, 5 * 0.02 / 358);
        Assert.Equal(0.6827, values.Count(value => Math.Abs(value) < 0.02) / (double)values.Length, 0.01);
        Assert.Contains(values, value => Math.Abs(value) > 3.5 * 0.02);
    }

    [Fact]
    public void Norms_are_one_and_the_padding_tokens_embedding_is_zero()
    {
        Assert.All(Read("model.norm.weight", seed: 1), value => Assert.Equal(1, value));
        var embedding = Read("model.embed_tokens.weight", seed: 1);
        Assert.All(embedding.AsSpan(7 * Config.HiddenSize, Config.HiddenSize).ToArray(), value => Assert.Equal(0, value));
        Assert.Equal(Config.HiddenSize, embedding.Count(value => value == 0));
    }

    [Fact]
    public void They_depend_on_seed_and_name_alone()
    {
        var values = Read("model.layers.1.mlp.up_proj.weight", seed: 1);

        Assert.Equal(values, Read("model.layers.1.mlp.up_proj.weight", seed: 1, Config with { LayerCount = 9 }));
        Assert.NotEqual(values, Read("model.layers.1.mlp.up_proj.weight", seed: 2));
        Assert.NotEqual(values, Read("model.layers.0.mlp.up_proj.weight", seed: 1));
    }
}
