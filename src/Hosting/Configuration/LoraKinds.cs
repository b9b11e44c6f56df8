using System.Globalization;
using Streaming.Hosting.Configuration.Hocon;
using Streaming.Model.Adapters;

namespace Streaming.Hosting.Configuration;

/// <summary>A rank, or none, which is no adapter.</summary>
internal sealed class RankKind : ValueKind<long?>
{
    private static readonly IntegerKind _rank = new(1, 1024);

    public override string Allowed => $"none or {_rank.Allowed}";

    public override bool TryRead(ConfigurationValue value, out long? result)
    {
        result = null;
        if ((value as ConfigurationScalar)?.Text == "none")
            return true;
        var isRank = _rank.TryRead(value, out var rank);
        result = rank;
        return isRank;
    }
}

/// <summary>Matrices of a layer by their names in the checkpoint, or all of them.</summary>
internal sealed class TargetModulesKind : ValueKind<IReadOnlyList<string>>
{
    private const string All = "all-linear";

    public override string Allowed => $"{All} or a list of {string.Join(", ", LoraOptions.KnownModules)}";

    public override bool TryRead(ConfigurationValue value, out IReadOnlyList<string> result) => Read(value, "", out result) is null;

    public override string? Explain(string path, ConfigurationValue value) => Read(value, path, out _);

    public override string Write(ConfigurationValue value, IReadOnlyList<string> result) =>
        result.Count == LoraOptions.KnownModules.Count ? All : $"[{string.Join(", ", result)}]";

    /// <returns>The sentence for the first item that is wrong, empty for a value that is wrong as a whole, or null.</returns>
    private static string? Read(ConfigurationValue value, string path, out IReadOnlyList<string> result)
    {
        result = LoraOptions.KnownModules;
        if (value is ConfigurationScalar { Text: All })
            return null;
        var items = value is ConfigurationList list ? list.Items : [value];
        var named = new HashSet<string>(StringComparer.Ordinal);
        for (var index = 0; index < items.Count; index++)
        {
            var place = value is ConfigurationList ? string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]") : path;
            if (items[index] is not ConfigurationScalar { IsNull: false } scalar || !LoraOptions.KnownModules.Contains(scalar.Text))
                return $"{place} must be {(value is ConfigurationList ? "" : $"{All}, or ")}one of {string.Join(", ", LoraOptions.KnownModules)}, was {HoconWriter.Write(items[index])} ({items[index].Origin}).";
            if (!named.Add(scalar.Text))
                return $"{place} names {scalar.Text} a second time ({scalar.Origin}).";
        }
        result = [.. LoraOptions.KnownModules.Where(named.Contains)];
        return named.Count > 0 ? null : "";
    }
}
