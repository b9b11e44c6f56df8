using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Export;

/// <summary>The model as llama.cpp knows it: its <c>llama</c> architecture, which Mistral is.</summary>
public static class GgufExport
{
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
    };

    /// <summary>Adds shape and weights; the tokenizer's metadata is the caller's.</summary>
    /// <param name="file">Receives them.</param>
    /// <param name="name">The model's name, for people.</param>
    /// <exception cref="ModelException">The model is a mixture of experts.</exception>
    /// <param name="weights">Read when the file is written.</param>
    public static void Add(GgufFile file, string name, MistralConfig model, IWeightSource weights, ExportOptions options)
    {
        if (model.Experts is not null)
            throw new ModelException("a mixture of experts (MixtralForCausalLM) is not written as GGUF: export it for Transformers, and convert that");
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
        foreach (var parameter in ModelParameter.Of(model))
        {
            // Norms stay in float32: llama.cpp computes with them so.
            var type = parameter.Role == ParameterRole.Norm ? TensorType.F32 : options.Type;
            file.AddTensor(NameOf(parameter.Name), parameter.Shape, type, () => Read(parameter, model, weights, options));
        }
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
