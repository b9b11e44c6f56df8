using System.Text.RegularExpressions;

namespace Streaming.Model.Parameters;

/// <summary>Part of a tensor.</summary>
/// <param name="Tensor">Its name.</param>
/// <param name="Shape">Its whole shape.</param>
/// <param name="First">Element that the part begins at.</param>
internal readonly record struct TensorPart(string Tensor, long[] Shape, long First);

/// <summary>
/// The experts of Mixtral as Transformers 5 holds them in memory, and may store them: one tensor for the experts' first two
/// matrices, <c>mlp.experts.gate_up_proj</c> (E, 2·F, D), one for the last, <c>mlp.experts.down_proj</c> (E, D, F), and
/// <c>mlp.gate.weight</c>. It writes the names of <see cref="ModelParameter"/> unless told otherwise.
/// </summary>
internal static partial class FusedExperts
{
    /// <summary>Where such a checkpoint has a parameter; null for one that it has under its own name.</summary>
    public static TensorPart? Find(ModelParameter parameter, MistralConfig config)
    {
        var match = Name().Match(parameter.Name);
        if (config.Experts is not { } experts || !match.Success)
            return null;
        var prefix = match.Groups["layer"].Value + "mlp.";
        if (match.Groups["gate"].Success)
            return new TensorPart(prefix + "gate.weight", [.. parameter.Shape], 0);
        long width = config.HiddenSize, feedForward = config.IntermediateSize, expert = long.Parse(match.Groups["expert"].Value, System.Globalization.CultureInfo.InvariantCulture);
        return match.Groups["matrix"].Value switch
        {
            "1" => new TensorPart(prefix + "experts.gate_up_proj", [experts.Count, 2 * feedForward, width], expert * 2 * feedForward * width),
            "3" => new TensorPart(prefix + "experts.gate_up_proj", [experts.Count, 2 * feedForward, width], (expert * 2 + 1) * feedForward * width),
            _ => new TensorPart(prefix + "experts.down_proj", [experts.Count, width, feedForward], expert * width * feedForward),
        };
    }

    [GeneratedRegex(@"^(?<layer>model\.layers\.\d+\.)block_sparse_moe\.(?:(?<gate>gate)|experts\.(?<expert>\d+)\.w(?<matrix>[123]))\.weight$")]
    private static partial Regex Name();
}
