using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Export;

/// <summary>The model as llama.cpp knows it: its <c>llama</c> architecture, which Mistral is, and Mixtral with it.</summary>
public static class GgufExport
{
    private const string Experts = ".experts.";

    private static readonly Dictionary<string, string> _names = new(StringComparer.Ordinal)
    {
        ["self_attn.q_proj.weight"] = "attn_q.weight",
        ["self_attn.k_proj.weight"] = "attn_k.weight",
        ["self_attn.v_proj.weight"] = "attn_v.weight",
        ["self_attn.o_proj.weight"] = "attn_output.weight",
        ["mlp.gate_proj.weight"] = "ffn_gate.weight",
        ["mlp.up_proj.weight"] = "ffn_up.weight",
        ["mlp.down_proj.weight"] = "ffn_down.weight",
        ["input_layernorm.weight"] = "attn_norm.weight",
        ["post_attention_layernorm.weight"] = "ffn_norm.weight",
        ["block_sparse_moe.gate.weight"] = "ffn_gate_inp.weight",
        ["block_sparse_moe.experts.0.w1.weight"] = "ffn_gate_exps.weight",
        ["block_sparse_moe.experts.0.w2.weight"] = "ffn_down_exps.weight",
        ["block_sparse_moe.experts.0.w3.weight"] = "ffn_up_exps.weight",
    };

    /// <summary>Adds shape and weights; the tokenizer's metadata is the caller's.</summary>
    /// <param name="file">Receives them.</param>
    /// <param name="name">The model's name, for people.</param>
    /// <param name="model">The shape.</param>
    /// <param name="weights">Read when the file is written.</param>
    /// <param name="options">The type of the weights.</param>
    public static void Add(GgufFile file, string name, MistralConfig model, IWeightSource weights, ExportOptions options)
    {
        file.Add("general.architecture", "llama");
        file.Add("general.name", name);
        file.Add("general.file_type", options.Type switch { TensorType.F32 => 0, TensorType.F16 => 1, _ => 32 });
        file.Add("llama.block_count", model.LayerCount);
        file.Add("llama.context_length", model.MaxPositions);
        file.Add("llama.embedding_length", model.HiddenSize);
        file.Add("llama.feed_forward_length", model.IntermediateSize);
        file.Add("llama.attention.head_count", model.HeadCount);
        file.Add("llama.attention.head_count_kv", model.KeyValueHeadCount);
        file.Add("llama.attention.key_length", model.HeadSize);
        file.Add("llama.attention.value_length", model.HeadSize);
        file.Add("llama.attention.layer_norm_rms_epsilon", (float)model.RmsNormEpsilon);
        file.Add("llama.rope.dimension_count", model.HeadSize);
        file.Add("llama.rope.freq_base", (float)model.RopeTheta);
        file.Add("llama.vocab_size", model.VocabularySize);
        if (model.Experts is { } experts)
        {
            file.Add("llama.expert_count", experts.Count);
            file.Add("llama.expert_used_count", experts.PerToken);
        }
        var parameters = ModelParameter.Of(model);
        foreach (var parameter in parameters)
        {
            // Norms and routers stay in float32: llama.cpp computes with them so.
            var type = parameter.Role == ParameterRole.Norm || parameter.Name.EndsWith("block_sparse_moe.gate.weight", StringComparison.Ordinal) ? TensorType.F32 : options.Type;
            if (!parameter.Name.Contains(Experts, StringComparison.Ordinal))
                file.AddTensor(NameOf(parameter.Name), parameter.Shape, type, () => Read(parameter, model, weights, options));
            else if (parameter.Name.Contains(Experts + "0.", StringComparison.Ordinal))
                file.AddTensor(NameOf(parameter.Name), [model.Experts!.Count, .. parameter.Shape], type, () => ReadExperts(parameter, parameters, weights, options));
        }
    }

    /// <summary>The matrices of all experts of a layer, one after the other.</summary>
    private static float[] ReadExperts(ModelParameter first, IReadOnlyList<ModelParameter> parameters, IWeightSource weights, ExportOptions options)
    {
        var (before, after) = (first.Name[..(first.Name.IndexOf(Experts, StringComparison.Ordinal) + Experts.Length)], first.Name[^".w1.weight".Length..]);
        ModelParameter[] all = [.. parameters.Where(parameter => parameter.Name.StartsWith(before, StringComparison.Ordinal) && parameter.Name.EndsWith(after, StringComparison.Ordinal))];
        var values = new float[all.Length * first.Count];
        foreach (var (number, parameter) in all.Index())
            weights.Read(parameter, values.AsSpan((int)(number * first.Count), (int)first.Count));
        options.Check(first.Name, values);
        return values;
    }

    private static float[] Read(ModelParameter parameter, MistralConfig model, IWeightSource weights, ExportOptions options)
    {
        var values = new float[parameter.Count];
        weights.Read(parameter, values);
        if (parameter.Role != ParameterRole.Norm)
            options.Check(parameter.Name, values);
        return parameter.Name.EndsWith("q_proj.weight", StringComparison.Ordinal) || parameter.Name.EndsWith("k_proj.weight", StringComparison.Ordinal)
            ? Interleave(values, model.HeadSize, model.HiddenSize)
            : values;
    }

    /// <summary>
    /// llama.cpp turns neighbouring rows of a head where Transformers turns row i with row i + H/2: the rows of each head are
    /// reordered so that both compute the same.
    /// </summary>
    private static float[] Interleave(float[] rows, int headSize, int width)
    {
        var moved = new float[rows.Length];
        for (var row = 0; row < rows.Length / width; row++)
        {
            var (head, inside) = (row / headSize, row % headSize);
            var target = head * headSize + (inside < headSize / 2 ? 2 * inside : 2 * (inside - headSize / 2) + 1);
            rows.AsSpan(row * width, width).CopyTo(moved.AsSpan(target * width));
        }
        return moved;
    }

    private static string NameOf(string parameter)
    {
        switch (parameter)
        {
            case "model.embed_tokens.weight":
                return "token_embd.weight";
            case "model.norm.weight":
                return "output_norm.weight";
            case ModelParameter.OutputMatrix:
                return "output.weight";
        }
        var parts = parameter.Split('.', 4); // model.layers.N.rest
        return $"blk.{parts[2]}.{_names[parts[3]]}";
    }
}
