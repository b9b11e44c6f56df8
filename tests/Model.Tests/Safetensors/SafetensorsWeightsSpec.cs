using System.Text.Json;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Tests.Safetensors;

public sealed class SafetensorsWeightsSpec : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("weights-");

    public void Dispose() => _folder.Delete(recursive: true);

    private string Path(string name) => System.IO.Path.Combine(_folder.FullName, name);

    private void WriteShard(string file, TensorType type, params (ModelParameter Parameter, float[] Values)[] tensors)
    {
        using var stream = File.Create(Path(file));
        var writer = SafetensorsWriter.Begin(stream, tensors.Select(tensor => (tensor.Parameter.Name, type, tensor.Parameter.Shape)));
        foreach (var (_, values) in tensors)
            writer.Write(values);
        writer.Complete();
    }

    private (ModelParameter, float[])[] RandomTensors(MistralConfig config) => [.. ModelParameter.Of(config).Select(parameter =>
    {
        var values = new float[parameter.Count];
        new RandomWeights(config, 1).Read(parameter, values);
        return (parameter, values);
    })];

    private void WriteIndex(IEnumerable<(string Tensor, string File)> map) => File.WriteAllText(
        Path("model.safetensors.index.json"),
        JsonSerializer.Serialize(new { metadata = new { total_size = 1 }, weight_map = map.ToDictionary(entry => entry.Tensor, entry => entry.File) }));

    [Fact]
    public void A_sharded_checkpoint_reads_like_a_whole_one()
    {
        var tensors = RandomTensors(TinyModels.Config);
        WriteShard("model-00001-of-00002.safetensors", TensorType.F32, tensors[..7]);
        WriteShard("model-00002-of-00002.safetensors", TensorType.BF16, tensors[7..]);
        WriteIndex(tensors.Select((tensor, i) => (tensor.Item1.Name, $"model-0000{(i < 7 ? 1 : 2)}-of-00002.safetensors")));

        using var weights = SafetensorsWeights.Open(_folder.FullName);
        var source = new CheckpointWeights(TinyModels.Config, weights);

        foreach (var (parameter, expected) in tensors)
        {
            var values = new float[parameter.Count];
            source.Read(parameter, values);
            for (var i = 0; i < values.Length; i++)
                Assert.Equal(expected[i], values[i], Math.Abs(expected[i]) / 256); // bf16: eight significant bits
        }
    }

    [Theory]
    [InlineData("../../etc/passwd")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("")]
    public void An_index_that_leads_out_of_its_folder_is_refused(string file)
    {
        WriteIndex([("a", file)]);
        Assert.Contains("which is no name of a file beside it", Assert.Throws<SafetensorsException>(() => SafetensorsWeights.Open(_folder.FullName)).Message);
    }

    [Theory]
    [InlineData("{", "is not JSON")]
    [InlineData("[]", "has no weight_map")]
    [InlineData("""{"weight_map":{"a":1}}""", "sends 'a' to 1")]
    [InlineData("""{"weight_map":{"a":"gone.safetensors"}}""", "lacks gone.safetensors, which model.safetensors.index.json names")]
    public void A_damaged_index_is_refused(string json, string reason)
    {
        File.WriteAllText(Path("model.safetensors.index.json"), json);
        Assert.Contains(reason, Assert.Throws<SafetensorsException>(() => SafetensorsWeights.Open(_folder.FullName)).Message);
    }

    [Fact]
    public void An_index_that_promises_what_the_shard_lacks_is_refused()
    {
        WriteShard("one.safetensors", TensorType.F32, RandomTensors(TinyModels.Config)[..1]);
        WriteIndex([("other.weight", "one.safetensors")]);
        Assert.EndsWith("weight_map sends 'other.weight' to one.safetensors, which holds no such tensor", Assert.Throws<SafetensorsException>(() => SafetensorsWeights.Open(_folder.FullName)).Message);
    }

    [Fact]
    public void A_shard_that_is_missing_is_named_with_what_to_do()
    {
        WriteIndex([("other.weight", "two.safetensors")]);
        Assert.EndsWith("lacks two.safetensors, which model.safetensors.index.json names; copy or download it", Assert.Throws<SafetensorsException>(() => SafetensorsWeights.Open(_folder.FullName)).Message);
    }

    [Fact]
    public void A_folder_of_pickled_weights_says_how_to_make_others()
    {
        File.WriteAllText(Path("pytorch_model.bin"), "x");
        Assert.EndsWith("; save the model anew with Transformers (save_pretrained), which writes safetensors", Assert.Throws<SafetensorsException>(() => SafetensorsWeights.Open(_folder.FullName)).Message);
    }

    [Fact]
    public void An_empty_folder_is_refused() =>
        Assert.EndsWith("holds neither model.safetensors nor model.safetensors.index.json", Assert.Throws<SafetensorsException>(() => SafetensorsWeights.Open(_folder.FullName)).Message);

    [Fact]
    public void Weights_of_another_shape_are_refused_before_any_is_read()
    {
        var tensors = RandomTensors(TinyModels.Config);
        WriteShard("model.safetensors", TensorType.F32, tensors);
        using var weights = SafetensorsWeights.Open(_folder.FullName);

        string Refusal(MistralConfig config) => Assert.Throws<SafetensorsException>(() => new CheckpointWeights(config, weights)).Message;

        Assert.EndsWith("'model.embed_tokens.weight' has the shape [128, 32], config.json asks for [129, 32]", Refusal(TinyModels.Config with { VocabularySize = 129 }));
        Assert.EndsWith("lacks 'model.layers.2.self_attn.q_proj.weight', which a model of this config.json has", Refusal(TinyModels.Config with { LayerCount = 3 }));
        Assert.EndsWith("which a model of this config.json does not have", Refusal(TinyModels.Config with { LayerCount = 1 }));
        _ = new CheckpointWeights(TinyModels.Config with { TieWordEmbeddings = true }, weights); // the output matrix is the embedding then
    }
}
