using System.Text.Json;

namespace Streaming.Model;

/// <summary>A JSON object of a user's file, whose values are read with their ranges and refused with file, key and value.</summary>
internal sealed class JsonValues
{
    private readonly string _file;
    private readonly string _prefix;
    private readonly JsonElement _root;

    public JsonValues(string file, JsonElement root, string prefix = "")
    {
        if (root.ValueKind != JsonValueKind.Object)
            throw new ModelException($"{file}: {(prefix.Length > 0 ? prefix.TrimEnd('.') : "the file")} must be a JSON object, was {Show(root)}");
        (_file, _root, _prefix) = (file, root, prefix);
    }

    public bool IsAbsent(string key) => !_root.TryGetProperty(key, out _);

    public bool IsNull(string key) => _root.TryGetProperty(key, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>True where the key is there and not null.</summary>
    public bool Has(string key) => _root.TryGetProperty(key, out var value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>A whole number; <paramref name="absent"/> where the key is absent, and refused there if that is null.</summary>
    public int Integer(string key, int minimum, int maximum, int? absent = null)
    {
        if (IsAbsent(key) && absent is { } value)
            return value;
        return OptionalInteger(key, minimum, maximum) ?? throw Refuse(key, IsAbsent(key) ? "absent" : "null", Range(minimum, maximum));
    }

    /// <summary>A whole number; null where the key is null or absent.</summary>
    public int? OptionalInteger(string key, int minimum, int maximum)
    {
        if (!Has(key))
            return null;
        var element = _root.GetProperty(key);
        if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt32(out var value) || value < minimum || value > maximum)
            throw Refuse(key, Show(element), Range(minimum, maximum));
        return value;
    }

    public bool IsList(string key) => Has(key) && _root.GetProperty(key).ValueKind == JsonValueKind.Array;

    /// <summary>The first of a list of whole numbers.</summary>
    public int FirstInteger(string key, int minimum, int maximum)
    {
        var list = _root.GetProperty(key);
        var first = list.GetArrayLength() > 0 ? list[0] : list;
        return first.ValueKind == JsonValueKind.Number && first.TryGetInt32(out var value) && value >= minimum && value <= maximum
            ? value
            : throw Refuse(key, Show(list), Range(minimum, maximum) + ", or a list of such");
    }

    /// <summary>A finite number that <paramref name="isAllowed"/>.</summary>
    public double Number(string key, string allowed, Func<double, bool> isAllowed, double absent)
    {
        if (!Has(key))
            return absent;
        var element = _root.GetProperty(key);
        if (element.ValueKind != JsonValueKind.Number || !element.TryGetDouble(out var value) || !double.IsFinite(value) || !isAllowed(value))
            throw Refuse(key, Show(element), allowed);
        return value;
    }

    public bool Boolean(string key, bool absent)
    {
        if (!Has(key))
            return absent;
        var element = _root.GetProperty(key);
        return element.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? element.GetBoolean()
            : throw Refuse(key, Show(element), "true or false");
    }

    public string? Text(string key)
    {
        if (!Has(key))
            return null;
        var element = _root.GetProperty(key);
        return element.ValueKind == JsonValueKind.String ? element.GetString() : throw Refuse(key, Show(element), "a text");
    }

    public IReadOnlyList<string> Strings(string key)
    {
        if (!Has(key))
            return [];
        var element = _root.GetProperty(key);
        if (element.ValueKind != JsonValueKind.Array || element.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.String))
            throw Refuse(key, Show(element), "a list of texts");
        return [.. element.EnumerateArray().Select(item => item.GetString()!)];
    }

    public JsonValues Object(string key) => new(_file, _root.GetProperty(key), $"{_prefix}{key}.");

    public ModelException Refuse(string key, object value, string allowed) =>
        new(FormattableString.Invariant($"{_file}: {_prefix}{key} must be {allowed}, was {value}"));

    private static string Range(int minimum, int maximum) =>
        maximum == int.MaxValue ? $"a whole number of at least {minimum}" : $"a whole number from {minimum} to {maximum}";

    /// <summary>The value as the file has it, cut where it is long.</summary>
    private static string Show(JsonElement element)
    {
        var text = element.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "...";
    }
}
