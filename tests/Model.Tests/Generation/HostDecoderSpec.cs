using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Model.Parameters;
using Streaming.Model.Reference;
using Streaming.Model.Safetensors;
using static TorchSharp.torch;

namespace Streaming.Model.Tests.Generation;

public sealed class HostDecoderSpec
{
    // float32 sums in another order than PyTorch's, over two layers.
    private const double Tolerance = 2e-5;

    [Fact]
    public void Logits_equal_those_of_Transformers()
    {
        using var tiny = new TinyReference();
        using var decoder = HostDecoder.Open(tiny.Folder, tiny.Rows, 128, threads: 2);
        var length = tiny.InputIds.Length / tiny.Rows;
        var parts = Enumerable.Range(0, tiny.Rows).Select(row => new DecoderPart(row, length)).ToArray();
        var logits = new float[tiny.InputIds.Length * tiny.Config.VocabularySize];

        decoder.Forward(parts, tiny.InputIds, LogitRows.All, logits);

        Assert.InRange(Closeness.RelativeError(logits, tiny.Expected.ReadFloats("logits")), 0, Tolerance);
    }

    [Theory]
    [InlineData(36, 3, 1, 10, null)] // widths that no vector divides, one key-value head for all
    [InlineData(32, 4, 4, 8, 5)] // a sliding window
    [InlineData(32, 4, 2, 16, null)] // heads wider than the model in sum
    public void A_text_read_in_pieces_beside_others_scores_as_the_reference_model_scores_it_whole(int hidden, int heads, int keyHeads, int headSize, int? window)
    {
        var config = TinyModels.Config with
        {
            HiddenSize = hidden,
            HeadCount = heads,
            KeyValueHeadCount = keyHeads,
            HeadSize = headSize,
            IntermediateSize = 27,
            SlidingWindow = window,
        };
        var weights = new RandomWeights(config, 3);
        var texts = TinyModels.Tokens(config, 3, 20, seed: 4);
        using var decoder = HostDecoder.Copy(config, weights, 3, 40, threads: 2);
        var logits = new float[3 * config.VocabularySize];

        decoder.Forward([new(0, 7), new(2, 1)], [.. texts[..7], texts[40]], LogitRows.None, []);
        decoder.Forward([new(1, 20)], texts[20..40], LogitRows.None, []);
        decoder.Forward([new(2, 18), new(0, 12)], [.. texts[41..59], .. texts[7..19]], LogitRows.None, []);
        decoder.Truncate(1, 19);
        decoder.Forward([new(0, 1), new(1, 1), new(2, 1)], [texts[19], texts[39], texts[59]], LogitRows.Last, logits);

        Assert.InRange(Closeness.RelativeError(logits, ReferenceLogits(config, weights, texts, rows: 3)), 0, Tolerance);
    }

    [Fact]
    public void A_copied_slot_goes_on_like_its_source_and_neither_disturbs_the_other()
    {
        var config = TinyModels.Config;
        var weights = new RandomWeights(config, 3);
        var text = TinyModels.Tokens(config, 1, 12, seed: 5);
        using var decoder = HostDecoder.Copy(config, weights, 3, 40, threads: 1);
        var logits = new float[2 * config.VocabularySize];
        decoder.Forward([new(0, 9)], text[..9], LogitRows.None, []);
        decoder.Copy([new(0, 1), new(1, 2)]);
        decoder.Forward([new(0, 1), new(1, 2)], [100, 101, 102], LogitRows.None, []); // they part
        decoder.Copy([new(2, 1), new(0, 2)]);
        Assert.Equal([10, 9, 10], Enumerable.Range(0, 3).Select(decoder.Length));

        decoder.Forward([new(1, 3), new(2, 2)], [.. text[9..], .. text[10..]], LogitRows.Last, logits);

        int[] other = [.. text[..9], 100, .. text[10..]];
        Assert.InRange(Closeness.RelativeError(logits, ReferenceLogits(config, weights, [.. text, .. other], rows: 2)), 0, Tolerance);
    }

    [Theory]
    [InlineData(TensorType.BF16)]
    [InlineData(TensorType.F16)]
    [InlineData(TensorType.F32)]
    public void Weights_of_each_type_are_multiplied_as_what_they_stand_for(TensorType type)
    {
        var config = TinyModels.Config with { TieWordEmbeddings = true };
        var folder = Directory.CreateTempSubdirectory("decoder-").FullName;
        try
        {
            var stored = new Dictionary<string, float[]>();
            config.Save(Path.Combine(folder, "config.json"));
            using (var file = File.Create(Path.Combine(folder, "model.safetensors")))
            {
                var parameters = ModelParameter.Of(config);
                var writer = SafetensorsWriter.Begin(file, parameters.Select(parameter => (parameter.Name, type, parameter.Shape)));
                foreach (var parameter in parameters)
                {
                    var values = new float[parameter.Count];
                    new RandomWeights(config, 6).Read(parameter, values);
                    writer.Write(values);
                    stored[parameter.Name] = [.. values.Select(value => Stored(value, type))];
                }
                writer.Complete();
            }
            var text = TinyModels.Tokens(config, 1, 9, seed: 7);
            using var decoder = HostDecoder.Open(folder, 1, 40, threads: 2);
            var logits = new float[config.VocabularySize];

            decoder.Forward([new(0, 9)], text, LogitRows.Last, logits);

            Assert.InRange(Closeness.RelativeError(logits, ReferenceLogits(config, new Arrays(stored), text, rows: 1)), 0, Tolerance);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_step_allocates_nothing()
    {
        using var decoder = HostDecoder.Copy(TinyModels.Config, new RandomWeights(TinyModels.Config, 3), 2, 60, threads: 2);
        var logits = new float[2 * decoder.Model.VocabularySize];
        DecoderPart[] parts = [new(0, 1), new(1, 1)];
        void Step() => decoder.Forward(parts, [5, 6], LogitRows.Last, logits);
        for (var i = 0; i < 20; i++)
            Step();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            Step();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void What_does_not_fit_is_refused_and_changes_nothing()
    {
        using var decoder = HostDecoder.Copy(TinyModels.Config, new RandomWeights(TinyModels.Config, 3), 2, 10, threads: 1);
        var logits = new float[decoder.Model.VocabularySize];

        Assert.Contains("vocabulary has 128", Assert.Throws<ModelException>(() => decoder.Forward([new(0, 1)], [128], LogitRows.Last, logits)).Message);
        Assert.Throws<ModelException>(() => decoder.Forward([new(0, 1)], [-1], LogitRows.Last, logits));
        Assert.Throws<ArgumentException>(() => decoder.Forward([new(0, 11)], new int[11], LogitRows.Last, logits));
        Assert.Throws<ArgumentException>(() => decoder.Forward([new(0, 1), new(0, 1)], [4, 5], LogitRows.None, []));
        Assert.Throws<ArgumentException>(() => decoder.Forward([new(0, 2)], [4], LogitRows.None, []));
        Assert.Throws<ArgumentException>(() => decoder.Forward([new(0, 2)], [4, 5], LogitRows.All, logits));
        Assert.Throws<ArgumentOutOfRangeException>(() => decoder.Forward([new(2, 1)], [4], LogitRows.None, []));
        Assert.Equal(0, decoder.Length(0));
    }

    private static float[] ReferenceLogits(MistralConfig config, IWeightSource weights, int[] texts, int rows)
    {
        using var scope = NewDisposeScope();
        using var gradientOff = no_grad();
        using var model = new MistralForCausalLM(config, ScalarType.Float32, CPU);
        model.Load(weights);
        var logits = new float[rows * config.VocabularySize];
        HostTensors.Read(model.NextLogits(HostTensors.FromTokens(texts, rows, CPU)), logits);
        return logits;
    }

    private static float Stored(float value, TensorType type) => type switch
    {
        TensorType.BF16 => Elements.FromBFloat16(Elements.ToBFloat16(value)),
        TensorType.F16 => (float)(Half)value,
        _ => value,
    };

    private sealed class Arrays(Dictionary<string, float[]> values) : IWeightSource
    {
        public void Read(ModelParameter parameter, Span<float> destination) => values[parameter.Name].CopyTo(destination);
    }
}
