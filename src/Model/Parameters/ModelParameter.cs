namespace Streaming.Model.Parameters;

/// <summary>What a parameter does, which decides how it starts and whether it may decay.</summary>
public enum ParameterRole { Embedding, Matrix, Norm }

/// <summary>One parameter of a Mistral or Mixtral model.</summary>
/// <param name="Name">Name as in the Hugging Face checkpoint.</param>
/// <param name="Shape">Sizes, outermost first; matrices are (outputs, inputs).</param>
/// <param name="Role">What it does.</param>
public sealed record ModelParameter(string Name, IReadOnlyList<long> Shape, ParameterRole Role)
{
    /// <summary>Elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>Name of the output matrix, which models with tied embeddings do not have.</summary>
    public const string OutputMatrix = "lm_head.weight";

    /// <summary>Every parameter of a model, in the order of Transformers' <c>state_dict</c>.</summary>
    public static IReadOnlyList<ModelParameter> Of(MistralConfig config)
    {
        long width = config.HiddenSize;
        long queries = (long)config.HeadCount * config.HeadSize, keys = (long)config.KeyValueHeadCount * config.HeadSize;
        var parameters = new List<ModelParameter>
        {
            new("model.embed_tokens.weight", [config.VocabularySize, width], ParameterRole.Embedding),
        };
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var prefix = FormattableString.Invariant($"model.layers.{layer}.");
            parameters.AddRange(
            [
                new(prefix + "self_attn.q_proj.weight", [queries, width], ParameterRole.Matrix),
                new(prefix + "self_attn.k_proj.weight", [keys, width], ParameterRole.Matrix),
                new(prefix + "self_attn.v_proj.weight", [keys, width], ParameterRole.Matrix),
                new(prefix + "self_attn.o_proj.weight", [width, queries], ParameterRole.Matrix),
                .. FeedForward(config, prefix),
                new(prefix + "input_layernorm.weight", [width], ParameterRole.Norm),
                new(prefix + "post_attention_layernorm.weight", [width], ParameterRole.Norm),
            ]);
        }
        parameters.Add(new("model.norm.weight", [width], ParameterRole.Norm));
        if (!config.TieWordEmbeddings)
            parameters.Add(new(OutputMatrix, [config.VocabularySize, width], ParameterRole.Matrix));
        return parameters;
    }

    private static IEnumerable<ModelParameter> FeedForward(MistralConfig config, string prefix)
    {
        long width = config.HiddenSize, feedForward = config.IntermediateSize;
        if (config.Experts is not { } experts)
        {
            return
            [
                new(prefix + "mlp.gate_proj.weight", [feedForward, width], ParameterRole.Matrix),
                new(prefix + "mlp.up_proj.weight", [feedForward, width], ParameterRole.Matrix),
                new(prefix + "mlp.down_proj.weight", [width, feedForward], ParameterRole.Matrix),
            ];
        }
        prefix += "block_sparse_moe.";
        return Enumerable.Range(0, experts.Count)
            .Select(expert => FormattableString.Invariant($"{prefix}experts.{expert}."))
            .SelectMany(expert => new ModelParameter[]
            {
                new(expert + "w1.weight", [feedForward, width], ParameterRole.Matrix),
                new(expert + "w2.weight", [width, feedForward], ParameterRole.Matrix),
                new(expert + "w3.weight", [feedForward, width], ParameterRole.Matrix),
            })
            .Prepend(new(prefix + "gate.weight", [experts.Count, width], ParameterRole.Matrix));
    }
}
