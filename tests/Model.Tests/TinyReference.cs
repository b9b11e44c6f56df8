using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using Streaming.Model.Safetensors;
using static TorchSharp.torch;

namespace Streaming.Model.Tests;

/// <summary>The small model that Transformers saved, and what PyTorch computed with it.</summary>
internal sealed class TinyReference : IDisposable
{
    private readonly SafetensorsWeights _weights;

    public TinyReference()
    {
        Folder = Streaming.Tests.ReferenceData.Path("model/mistral-tiny-reference");
        Config = MistralConfig.Load(Folder);
        _weights = SafetensorsWeights.Open(Folder);
        Weights = new CheckpointWeights(Config, _weights);
        Expected = SafetensorsFile.Open(Path.Combine(Folder, "expected.safetensors"));
        InputIds = [.. Expected.ReadIntegers("input_ids").Select(id => (int)id)];
        Rows = (int)Expected["input_ids"].Shape[0];
    }

    public string Folder { get; }
    public MistralConfig Config { get; }
    public IWeightSource Weights { get; }
    public SafetensorsFile Expected { get; }
    public int[] InputIds { get; }
    public int Rows { get; }

    public MistralForCausalLM LoadModel()
    {
        LibtorchRuntime.Load();
        var model = new MistralForCausalLM(Config, ScalarType.Float32, CPU);
        model.Load(Weights);
        return model;
    }

    public void Dispose()
    {
        Expected.Dispose();
        _weights.Dispose();
    }
}
