using System.Globalization;

namespace Streaming.Model.Adapters;

/// <summary>
/// Low-rank adaptation (Hu et al. 2021): a matrix W stays as it is, and what is learned is added to it, y = W x + (alpha / rank) B (A x)
/// with A (rank, inputs) and B (outputs, rank). Names and meanings are those of PEFT's <c>LoraConfig</c>.
/// </summary>
public sealed record LoraOptions
{
    /// <summary>Matrices that may have an adapter: all of a layer.</summary>
    public static IReadOnlyList<string> KnownModules { get; } = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    /// <summary>Rows of A and columns of B.</summary>
    public required int Rank { get; init; }

    /// <summary>What the adapter counts, times the rank.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>Share of A's inputs that a training pass leaves out, at random.</summary>
    public double Dropout { get; init; }

    /// <summary>Matrices that have an adapter, in every layer.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = KnownModules;

    /// <summary>What B (A x) is multiplied by.</summary>
    public double Scale => Alpha / Rank;

    /// <summary>For people: <c>rank 8 of q_proj, v_proj</c>.</summary>
    public string Describe() => string.Create(CultureInfo.InvariantCulture,
        $"rank {Rank}, alpha {Alpha}, {(TargetModules.Count == KnownModules.Count ? "all matrices of the layers" : string.Join(", ", TargetModules))}");

    /// <summary>In what two differ that adapters depend on: key, value here, value there; null where they fit.</summary>
    internal (string Key, object Here, object There)? DifferenceFrom(LoraOptions other)
    {
        if (Rank != other.Rank) return ("rank", Rank, other.Rank);
        if (Alpha != other.Alpha) return ("alpha", Alpha, other.Alpha);
        return TargetModules.ToHashSet().SetEquals(other.TargetModules) ? null
            : ("target-modules", $"[{string.Join(", ", TargetModules)}]", $"[{string.Join(", ", other.TargetModules)}]");
    }
}
