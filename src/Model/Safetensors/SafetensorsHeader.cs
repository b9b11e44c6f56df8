using System.Text.Json;

namespace Streaming.Model.Safetensors;

/// <summary>
/// Reads and checks the header of a safetensors file: 8 bytes of little-endian length, then JSON. The checks are those of
/// the reference implementation: every tensor as long as its shape says, no two overlapping, no hole between them, the
/// last one ending where the file ends.
/// </summary>
internal static class SafetensorsHeader
{
    /// <summary>Longest header that is read: what keeps a hostile file's memory bounded. 16 MiB name some 130,000 tensors.</summary>
    public const int MaximumBytes = 16 << 20;

    private const int MaximumDimensions = 16, MaximumNameBytes = 4096;

    /// <param name="file">Path for messages.</param>
    /// <param name="json">The header's bytes.</param>
    /// <param name="dataBytes">Bytes that follow the header in the file.</param>
    public static (IReadOnlyList<TensorEntry> Tensors, IReadOnlyDictionary<string, string> Metadata) Read(
        string file, ReadOnlySpan<byte> json, long dataBytes)
    {
        var tensors = new List<TensorEntry>();
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
            if (json.IsEmpty || json[0] != (byte)'{' || !reader.Read())
                throw Refuse(file, "its header is not a JSON object");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueSpan.Length > MaximumNameBytes)
                    throw Refuse(file, "its header has a name of more than 4096 bytes");
                var name = reader.GetString()!;
                if (!names.Add(name))
                    throw Refuse(file, $"its header names '{name}' twice");
                reader.Read();
                if (name == "__metadata__")
                    ReadMetadata(file, ref reader, metadata);
                else
                    tensors.Add(ReadTensor(file, name, ref reader));
            }
            if (reader.Read())
                throw Refuse(file, "its header goes on after the JSON object");
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw new SafetensorsException($"{file} cannot be used: its header is not valid JSON ({JsonObjectText.OneLine(exception)})", exception);
        }
        CheckLayout(file, tensors, dataBytes);
        return (tensors, metadata);
    }

    private static void ReadMetadata(string file, ref Utf8JsonReader reader, Dictionary<string, string> metadata)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Refuse(file, "its __metadata__ is not an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw Refuse(file, $"its __metadata__ '{key}' is not a text");
            metadata[key] = reader.GetString()!;
        }
    }

    private static TensorEntry ReadTensor(string file, string name, ref Utf8JsonReader reader)
    {
        TensorType? type = null;
        long[]? shape = null, offsets = null;
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Refuse(file, $"tensor '{name}' is not described by an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype":
                    type = ReadType(file, name, ref reader);
                    break;
                case "shape":
                    shape = ReadNumbers(file, name, key, ref reader);
                    break;
                case "data_offsets":
                    offsets = ReadNumbers(file, name, key, ref reader);
                    break;
                default:
                    throw Refuse(file, $"tensor '{name}' has the unknown key '{key}'");
            }
        }
        if (type is null || shape is null || offsets is not [var begin, var end])
            throw Refuse(file, $"tensor '{name}' needs dtype, shape and two data_offsets");
        if (end < begin)
            throw Refuse(file, $"tensor '{name}' ends ({end}) before it begins ({begin})");
        if (TensorEntry.CountOf(shape) is not { } count || count * TensorEntry.SizeOf(type.Value) != end - begin)
            throw Refuse(file, $"tensor '{name}' of shape [{string.Join(", ", shape)}] and type {type} does not have the {end - begin} bytes of its data_offsets");
        return new TensorEntry(name, type.Value, shape, begin, end - begin);
    }

    private static TensorType ReadType(string file, string name, ref Utf8JsonReader reader)
    {
        var text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : "";
        return text.Length > 0 && char.IsAsciiLetterUpper(text[0]) && Enum.TryParse<TensorType>(text, out var type) && Enum.IsDefined(type)
            ? type
            : throw Refuse(file, $"tensor '{name}' has the unknown dtype '{(text.Length <= 40 ? text : text[..40])}'");
    }

    private static long[] ReadNumbers(string file, string name, string key, ref Utf8JsonReader reader)
    {
        var numbers = new List<long>();
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Refuse(file, $"{key} of tensor '{name}' is not a list");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0 || numbers.Count == MaximumDimensions)
                throw Refuse(file, $"{key} of tensor '{name}' must be at most {MaximumDimensions} whole numbers of at least 0");
            numbers.Add(number);
        }
        return [.. numbers];
    }

    private static void CheckLayout(string file, List<TensorEntry> tensors, long dataBytes)
    {
        tensors.Sort((one, other) => one.Offset != other.Offset ? one.Offset.CompareTo(other.Offset) : one.Bytes.CompareTo(other.Bytes));
        long end = 0;
        foreach (var tensor in tensors)
        {
            if (tensor.Offset != end)
                throw Refuse(file, $"tensor '{tensor.Name}' begins at byte {tensor.Offset} of the data, {(tensor.Offset < end ? "inside the one before it" : "after a hole")} (expected {end})");
            if (tensor.Bytes > dataBytes - end)
                throw Refuse(file, $"tensor '{tensor.Name}' ends at byte {end + tensor.Bytes} of the data, which has {dataBytes}: the file is cut short; copy or download it again");
            end += tensor.Bytes;
        }
        if (end != dataBytes)
            throw Refuse(file, $"it has {dataBytes} bytes of data, its header describes {end}");
    }

    public static SafetensorsException Refuse(string file, string reason) => new($"{file} cannot be used: {reason}");
}
