using Streaming.Model;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Hosting.Tests.Generation;

/// <summary>Writes folders of small models with random weights and the sample's tokenizer.</summary>
internal static class TinyModel
{
    public static MistralConfig Config { get; } = new()
    {
        VocabularySize = 2000,
        HiddenSize = 32,
        IntermediateSize = 64,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 8,
        MaxPositions = 200,
        InitializerRange = 0.3,
        BosTokenId = 2,
        EosTokenId = 3,
        PadTokenId = 0,
    };

    /// <summary>The sample's tokenizer, which lies beside the program.</summary>
    public static string Tokenizer => Path.Combine(AppContext.BaseDirectory, "samples", "tokenizer.model");

    public static string Write(string folder, int seed = 1, MistralConfig? config = null)
    {
        Directory.CreateDirectory(folder);
        config ??= Config;
        config.Save(Path.Combine(folder, "config.json"));
        File.Copy(Tokenizer, Path.Combine(folder, "tokenizer.model"), overwrite: true);
        using var file = File.Create(Path.Combine(folder, "model.safetensors"));
        var parameters = ModelParameter.Of(config);
        var writer = SafetensorsWriter.Begin(file, parameters.Select(parameter => (parameter.Name, TensorType.F32, parameter.Shape)));
        foreach (var parameter in parameters)
        {
            var values = new float[parameter.Count];
            new RandomWeights(config, seed).Read(parameter, values);
            writer.Write(values);
        }
        writer.Complete();
        return folder;
    }
}
