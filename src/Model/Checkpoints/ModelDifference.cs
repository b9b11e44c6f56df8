using System.Globalization;

namespace Streaming.Model.Checkpoints;

/// <summary>Tells one model from another by what their parameters and results depend on.</summary>
public static class ModelDifference
{
    /// <exception cref="CheckpointException">The models differ; the message names the key, as in config.json, and both values.</exception>
    public static void Refuse(string place, MistralConfig stored, MistralConfig wanted)
    {
        foreach (var (key, there, here) in Compare(stored, wanted))
        {
            if (!Equals(there, here))
                throw new CheckpointException(string.Create(CultureInfo.InvariantCulture, $"{place} is of another model: {key} is {there ?? "null"} there and {here ?? "null"} in this run; choose another run directory, or the model's config.json that belongs to it"));
        }
    }

    private static IEnumerable<(string Key, object? There, object? Here)> Compare(MistralConfig stored, MistralConfig wanted) =>
    [
        ("vocab_size", stored.VocabularySize, wanted.VocabularySize),
        ("hidden_size", stored.HiddenSize, wanted.HiddenSize),
        ("intermediate_size", stored.IntermediateSize, wanted.IntermediateSize),
        ("num_hidden_layers", stored.LayerCount, wanted.LayerCount),
        ("num_attention_heads", stored.HeadCount, wanted.HeadCount),
        ("num_key_value_heads", stored.KeyValueHeadCount, wanted.KeyValueHeadCount),
        ("head_dim", stored.HeadSize, wanted.HeadSize),
        ("rope_theta", stored.RopeTheta, wanted.RopeTheta),
        ("rms_norm_eps", stored.RmsNormEpsilon, wanted.RmsNormEpsilon),
        ("sliding_window", stored.SlidingWindow, wanted.SlidingWindow),
        ("tie_word_embeddings", stored.TieWordEmbeddings, wanted.TieWordEmbeddings),
        ("num_local_experts", stored.Experts?.Count, wanted.Experts?.Count),
        ("num_experts_per_tok", stored.Experts?.PerToken, wanted.Experts?.PerToken),
    ];
}
