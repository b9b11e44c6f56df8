using System.Text.Json;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>
/// A value in a <c>tokenizer.json</c> that knows where it stands, such as <c>normalizer.normalizers[1]</c>. Errors:
/// <see cref="FormatException"/>, the beginning of a sentence that names the place.
/// </summary>
internal readonly struct JsonPart(JsonElement element, string place)
{
    public string Place => place;

    public bool IsObject => element.ValueKind == JsonValueKind.Object;

    public bool IsArray => element.ValueKind == JsonValueKind.Array;

    public bool IsText => element.ValueKind == JsonValueKind.String;

    /// <summary>The kind of a component: its <c>type</c>.</summary>
    public string Type => Require("type").Text();

    /// <summary>A member that must be there.</summary>
    public JsonPart Require(string name) => Find(name) ?? throw Wrong($"lacks {name}");

    /// <summary>A member; null where it is missing or null.</summary>
    public JsonPart? Find(string name)
    {
        if (!IsObject)
            throw Wrong("is no object");
        return element.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null
            ? new JsonPart(value, place.Length == 0 ? name : $"{place}.{name}")
            : null;
    }

    public string Text()
    {
        if (!IsText)
            throw Wrong("is no text");
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong("is no valid Unicode text");
        }
    }

    public string Text(string name, string missing) => Find(name)?.Text() ?? missing;

    public bool Switch(string name, bool missing) => Find(name) is not { } part
        ? missing
        : part.Value.ValueKind switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw part.Wrong("is neither true nor false"),
        };

    /// <summary>A whole number from 0 to <paramref name="most"/>.</summary>
    public int Number(int most) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetInt32(out var number) && number >= 0 && number <= most
            ? number
            : throw Wrong($"is no whole number from 0 to {most}");

    public float Fraction() =>
        element.ValueKind == JsonValueKind.Number && element.TryGetSingle(out var number) ? number : throw Wrong("is no number");

    public IEnumerable<JsonPart> Items()
    {
        if (!IsArray)
            throw Wrong("is no list");
        var (list, at) = (element, place);
        return list.EnumerateArray().Select((item, index) => new JsonPart(item, $"{at}[{index}]"));
    }

    public IEnumerable<(string Name, JsonPart Value)> Members()
    {
        if (!IsObject)
            throw Wrong("is no object");
        var at = place;
        return element.EnumerateObject().Select(member => (NameOf(member, at), new JsonPart(member.Value, at)));
    }

    /// <summary>The value as it stands, shortened: for a message.</summary>
    public override string ToString() => element.GetRawText() is { Length: > 60 } raw ? raw[..60] + "…" : element.GetRawText();

    /// <param name="what">Follows the place: "is no list".</param>
    public FormatException Wrong(string what) => new($"{(place.Length == 0 ? "it" : place)} {what}");

    /// <summary>A component that the file asks for and that is not there.</summary>
    public FormatException Unsupported(string kind) => new($"{place} is a {kind}, which is not supported");

    private static string NameOf(JsonProperty member, string at)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            throw new FormatException($"{at} has a name that is no valid Unicode text");
        }
    }

    private JsonElement Value => element;
}
