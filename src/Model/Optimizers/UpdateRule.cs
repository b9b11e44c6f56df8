using Streaming.Model.Engines;
using Streaming.Model.Parameters;

namespace Streaming.Model.Optimizers;

/// <summary>What updates a parameter.</summary>
public enum UpdateRule
{
    AdamW,

    /// <summary>AdamW on moments of 8 bits.</summary>
    AdamW8Bit,

    /// <summary>Muon; its second moment does not exist.</summary>
    Muon,
}

internal static class UpdateRules
{
    /// <summary>The rule for one parameter: embedding and norms always have AdamW with float32 moments, and so has the output matrix beside Muon.</summary>
    public static UpdateRule For(OptimizerKind optimizer, ModelParameter parameter) => (optimizer, parameter.Role) switch
    {
        (OptimizerKind.AdamW8Bit, ParameterRole.Matrix) => UpdateRule.AdamW8Bit,
        (OptimizerKind.Muon, ParameterRole.Matrix) when parameter.Name != ModelParameter.OutputMatrix => UpdateRule.Muon,
        _ => UpdateRule.AdamW,
    };
}
