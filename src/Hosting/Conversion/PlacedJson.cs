using System.Text;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;
using Streaming.Streams.Records;

namespace Streaming.Hosting.Conversion;

/// <summary>A value of a JSON file that knows its line.</summary>
/// <param name="Text">The text of a string; a number, true or false as written.</param>
/// <param name="Fields">Of an object, in order; of a name that is there twice the last counts, as in Python.</param>
internal sealed record PlacedJson(JsonValueKind Kind, string Text, IReadOnlyList<(string Name, PlacedJson Value)> Fields, IReadOnlyList<PlacedJson> Items, Origin Origin)
{
    private const long LargestFile_bytes = 16 << 20;
    private const int MostShown = 60;

    public bool IsNull => Kind == JsonValueKind.Null;

    public bool IsNumber => Kind == JsonValueKind.Number;

    public bool IsText => Kind == JsonValueKind.String;

    public bool IsObject => Kind == JsonValueKind.Object;

    public bool IsSwitch => Kind is JsonValueKind.True or JsonValueKind.False;

    /// <summary>DeepSpeed's word for what the trainer's arguments say.</summary>
    public bool IsAuto => IsText && Text == "auto";

    public PlacedJson? Find(string name) => Fields.FirstOrDefault(field => field.Name == name).Value;

    /// <summary>For people: short, on one line.</summary>
    public override string ToString()
    {
        var text = Kind switch
        {
            JsonValueKind.Object => "{…}",
            JsonValueKind.Array => $"[{string.Join(", ", Items)}]",
            JsonValueKind.String => HoconWriter.Quote(Text),
            _ => Text,
        };
        return text.Length <= MostShown ? text : text[..MostShown] + "…";
    }

    /// <summary>Reads a file that must hold an object.</summary>
    /// <param name="path">The file; errors name it so.</param>
    /// <exception cref="UserErrorException">It cannot be read, or is no JSON object: one sentence with the line.</exception>
    public static PlacedJson ReadObject(string path)
    {
        var json = Parse(Read(path), path);
        return json.IsObject ? json : throw new UserErrorException($"{json.Origin}: the file must hold an object, {{…}}, and begins with {json}.");
    }

    private static byte[] Read(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > LargestFile_bytes })
                throw new UserErrorException($"{path} is larger than {LargestFile_bytes >> 20} MiB, which no file of settings is.");
            return File.ReadAllBytes(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            var why = Directory.Exists(path) ? "is a folder, not a file" : File.Exists(path) ? "cannot be read: " + failure.Message.TrimEnd('.') : "does not exist";
            throw new UserErrorException($"{path} {why}.");
        }
    }

    private static PlacedJson Parse(byte[] bytes, string path)
    {
        ReadOnlySpan<byte> file = bytes;
        if (file.StartsWith(Encoding.UTF8.Preamble))
            file = file[3..];
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var reader = new Utf8JsonReader(file);
        var lines = new Lines(path, folder);
        try
        {
            reader.Read();
            var value = ReadValue(ref reader, lines, file);
            reader.Read(); // refuses what follows
            return value;
        }
        catch (JsonException wrong)
        {
            throw new UserErrorException($"{path}:{wrong.LineNumber + 1} is not valid JSON: {JsonMistake.InWords(wrong)}.");
        }
        catch (InvalidOperationException)
        {
            throw new UserErrorException($"{path}:{lines.At(file, reader.TokenStartIndex)} is not valid JSON: a text there is no valid Unicode.");
        }
    }

    private static PlacedJson ReadValue(ref Utf8JsonReader reader, Lines lines, ReadOnlySpan<byte> file)
    {
        var origin = new Origin(lines.Path, lines.Folder, lines.At(file, reader.TokenStartIndex));
        var fields = new List<(string Name, PlacedJson Value)>();
        var items = new List<PlacedJson>();
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var name = reader.GetString()!;
                    reader.Read();
                    fields.RemoveAll(field => field.Name == name);
                    fields.Add((name, ReadValue(ref reader, lines, file)));
                }
                return new PlacedJson(JsonValueKind.Object, "", fields, items, origin);
            case JsonTokenType.StartArray:
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    items.Add(ReadValue(ref reader, lines, file));
                return new PlacedJson(JsonValueKind.Array, "", fields, items, origin);
            case JsonTokenType.String:
                return new PlacedJson(JsonValueKind.String, reader.GetString()!, fields, items, origin);
            case JsonTokenType.Number:
                return new PlacedJson(JsonValueKind.Number, Encoding.UTF8.GetString(reader.ValueSpan), fields, items, origin);
            case JsonTokenType.True:
                return new PlacedJson(JsonValueKind.True, "true", fields, items, origin);
            case JsonTokenType.False:
                return new PlacedJson(JsonValueKind.False, "false", fields, items, origin);
            default:
                return new PlacedJson(JsonValueKind.Null, "null", fields, items, origin);
        }
    }

    /// <summary>Counts lines as the reader goes on.</summary>
    private sealed class Lines(string path, string folder)
    {
        private long _counted;
        private int _line = 1;

        public string Path => path;

        public string Folder => folder;

        public int At(ReadOnlySpan<byte> file, long place)
        {
            _line += file[(int)_counted..(int)place].Count((byte)'\n');
            _counted = place;
            return _line;
        }
    }
}
