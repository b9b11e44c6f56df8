using Streaming.Model.Parameters;

namespace Streaming.Model.Adapters;

/// <summary>A matrix of the model and the two of its adapter.</summary>
/// <param name="Matrix">(outputs, inputs); is not trained.</param>
/// <param name="A">(rank, inputs)</param>
/// <param name="B">(outputs, rank)</param>
public sealed record AdaptedMatrix(ModelParameter Matrix, ModelParameter A, ModelParameter B)
{
    // As PEFT writes them: its own wrapper, the wrapped model, the path in it.
    private const string Prefix = "base_model.model.", SuffixA = ".lora_A.weight", SuffixB = ".lora_B.weight", Weight = ".weight";

    /// <summary>The matrices of a model that have an adapter, in the order of its parameters.</summary>
    public static IReadOnlyList<AdaptedMatrix> Of(MistralConfig model, LoraOptions lora) =>
        [.. ModelParameter.Of(model).Where(parameter => lora.TargetModules.Contains(ModuleOf(parameter.Name))).Select(parameter => Of(parameter, lora.Rank))];

    /// <summary>All parameters of the adapters: A and B of the first matrix, of the second, and so on.</summary>
    public static IReadOnlyList<ModelParameter> ParametersOf(MistralConfig model, LoraOptions lora) =>
        [.. Of(model, lora).SelectMany(matrix => new[] { matrix.A, matrix.B })];

    /// <summary>The module's own name: <c>q_proj</c> of <c>model.layers.0.self_attn.q_proj.weight</c>, or of its adapter's; null where it has none.</summary>
    public static string? ModuleOf(string name)
    {
        foreach (var suffix in new[] { SuffixA, SuffixB, Weight })
            if (name.Length > suffix.Length && name.EndsWith(suffix, StringComparison.Ordinal))
                return name[(name.LastIndexOf('.', name.Length - suffix.Length - 1) + 1)..^suffix.Length];
        return null;
    }

    private static AdaptedMatrix Of(ModelParameter matrix, int rank)
    {
        var module = Prefix + matrix.Name[..^Weight.Length];
        return new(matrix,
            new(module + SuffixA, [rank, matrix.Shape[1]], ParameterRole.Matrix),
            new(module + SuffixB, [matrix.Shape[0], rank], ParameterRole.Matrix));
    }
}
