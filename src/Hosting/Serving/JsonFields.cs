using System.Globalization;
using System.Text.Json;
using Streaming.Streams.Records;

namespace Streaming.Hosting.Serving;

/// <summary>The fields of a request's JSON body, each read with its range; null counts as left out.</summary>
internal readonly struct JsonFields
{
    private readonly JsonElement _root;

    private JsonFields(JsonElement root) => _root = root;

    /// <exception cref="ApiException">The body is no JSON object.</exception>
    public static JsonFields Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            var root = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 32 }).RootElement;
            return root.ValueKind == JsonValueKind.Object ? new JsonFields(root) : throw new ApiException(400, "the body of the request must be a JSON object");
        }
        catch (JsonException mistake)
        {
            throw new ApiException(400, $"the body of the request is not JSON: {JsonMistake.InWords(mistake)}");
        }
    }

    public bool Has(string name) => _root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null;

    public JsonElement Get(string name) => _root.GetProperty(name);

    public bool Switch(string name, bool otherwise = false) => !Has(name) ? otherwise : Get(name).ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong(name, "true or false"),
    };

    public int Integer(string name, int otherwise, int minimum, int maximum)
    {
        if (!Has(name))
            return otherwise;
        // 5.0 is a whole number to JSON, and where no bound is said there is none.
        return Get(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetDouble(out var number) && double.IsInteger(number)
            && number >= minimum && (number <= maximum || maximum == int.MaxValue)
            ? (int)Math.Min(number, maximum)
            : throw Wrong(name, maximum == int.MaxValue ? $"a whole number of at least {minimum}" : $"a whole number from {minimum} to {maximum}");
    }

    public long? Seed(string name)
    {
        if (!Has(name))
            return null;
        return Get(name).ValueKind == JsonValueKind.Number && Get(name).TryGetInt64(out var number) ? number : throw Wrong(name, "a whole number of at most 64 bits");
    }

    /// <param name="name">The field.</param>
    /// <param name="otherwise">Its value where it is left out.</param>
    /// <param name="minimum">The least that is taken.</param>
    /// <param name="maximum">The most.</param>
    /// <param name="allowed">The range in words, where its ends do not say it.</param>
    public double Number(string name, double otherwise, double minimum, double maximum, string? allowed = null)
    {
        if (!Has(name))
            return otherwise;
        return Get(name).ValueKind == JsonValueKind.Number && Get(name).TryGetDouble(out var number) && number >= minimum && number <= maximum
            ? number
            : throw Wrong(name, allowed ?? string.Create(CultureInfo.InvariantCulture, $"a number from {minimum} to {maximum}"));
    }

    public string? Text(string name)
    {
        if (!Has(name))
            return null;
        return Get(name).ValueKind == JsonValueKind.String ? ReadText(Get(name), name) : throw Wrong(name, "a text");
    }

    /// <summary>A text or a list of texts.</summary>
    public IReadOnlyList<string> Texts(string name, int most)
    {
        if (!Has(name))
            return [];
        var value = Get(name);
        string[] texts = value.ValueKind switch
        {
            JsonValueKind.String => [ReadText(value, name)],
            JsonValueKind.Array when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) => [.. value.EnumerateArray().Select(item => ReadText(item, name))],
            _ => throw Wrong(name, "a text or a list of texts"),
        };
        return texts.Length <= most && texts.All(text => text.Length > 0) ? texts : throw Wrong(name, $"at most {most} texts, none of them empty");
    }

    /// <summary>The text of a JSON string; one that is no Unicode is refused.</summary>
    public static string ReadText(JsonElement value, string name)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw ApiException.Invalid(name, $"'{name}' is no Unicode text: it holds half a surrogate pair, or bytes that are no UTF-8");
        }
    }

    public ApiException Wrong(string name, string allowed)
    {
        var raw = Get(name).GetRawText();
        return ApiException.Invalid(name, $"'{name}' must be {allowed}, was {(raw.Length <= 60 ? raw : raw[..60] + "…")}");
    }
}
