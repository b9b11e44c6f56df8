using System.Text;
using System.Text.Json;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>
/// Finds one text field in a JSON object: by its name, or by a path of names with dots between them. Of fields of one name
/// the last counts.
/// </summary>
internal sealed class JsonField
{
    private const int DeepestNesting = 256;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = DeepestNesting };

    private readonly byte[][] _names; // of each step
    private readonly byte[][] _rests; // what is left of the path at each step, as one name

    public JsonField(string path)
    {
        Path = path;
        var steps = path.Split('.');
        _names = [.. steps.Select(Encoding.UTF8.GetBytes)];
        _rests = [.. steps.Select((_, step) => Encoding.UTF8.GetBytes(string.Join('.', steps[step..])))];
    }

    /// <summary>As it was named.</summary>
    public string Path { get; }

    /// <summary>The record read last has no such field, or null there.</summary>
    public bool IsMissing { get; private set; }

    /// <summary>Bytes of invalid UTF-8 so far.</summary>
    public long InvalidBytes { get; private set; }

    /// <summary>Appends the field's text to the unfinished line; otherwise says what is wrong with the record.</summary>
    public string? Read(ReadOnlySpan<byte> json, TextBatch text)
    {
        var reader = new Utf8JsonReader(json, Options);
        IsMissing = false;
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                return "it is no JSON object";
            var found = new Found();
            ReadObject(ref reader, 0, ref found);
            reader.Read(); // nothing may follow
            IsMissing = found.Kind is JsonTokenType.None or JsonTokenType.Null;
            if (found.Kind == JsonTokenType.None)
                return $"it has no field {Path}";
            if (found.Kind != JsonTokenType.String)
                return $"its field {Path} is no text";
            Append(json.Slice(found.Start, found.Length), found.IsEscaped, text);
            return null;
        }
        catch (JsonException exception)
        {
            return $"it is not valid JSON (byte {exception.BytePositionInLine})";
        }
    }

    /// <summary>Reads up to the end of the object in which the reader stands, and remembers the field if it is in there.</summary>
    private void ReadObject(ref Utf8JsonReader reader, int step, ref Found found)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isField = reader.ValueTextEquals(_rests[step]);
            var isStep = !isField && reader.ValueTextEquals(_names[step]);
            reader.Read();
            if (isField)
            {
                found = new Found(reader.TokenType, (int)reader.TokenStartIndex + 1, reader.ValueSpan.Length, reader.ValueIsEscaped);
            }
            else if (isStep)
            {
                found = default;
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    ReadObject(ref reader, step + 1, ref found);
                    continue;
                }
            }
            reader.Skip();
        }
    }

    /// <summary>Undoes the escapes of a text that the reader found to be well-formed. A lone surrogate becomes U+FFFD.</summary>
    private void Append(ReadOnlySpan<byte> value, bool isEscaped, TextBatch text)
    {
        while (isEscaped && value.IndexOf((byte)'\\') is >= 0 and var escape)
        {
            InvalidBytes += Utf8Text.Append(text, value[..escape]);
            value = value[escape..];
            value = value[AppendEscapes(value, text)..];
        }
        InvalidBytes += Utf8Text.Append(text, value);
    }

    /// <summary>Appends what a run of escapes stands for; returns the bytes of the run.</summary>
    private static int AppendEscapes(ReadOnlySpan<byte> value, TextBatch text)
    {
        const int unitLength = 6;
        var characters = text.GetSpan(value.Length);
        int read = 0, written = 0;
        while (read < value.Length && value[read] == '\\')
        {
            var kind = (char)value[read + 1];
            if (kind != 'u')
            {
                characters[written++] = kind switch { 'b' => '\b', 'f' => '\f', 'n' => '\n', 'r' => '\r', 't' => '\t', _ => kind };
                read += 2;
                continue;
            }
            var unit = Unit(value.Slice(read, unitLength));
            read += unitLength;
            if (!char.IsSurrogate(unit))
            {
                characters[written++] = unit;
                continue;
            }
            var next = value[read..];
            if (char.IsHighSurrogate(unit) && next.Length >= unitLength && next[0] == '\\' && next[1] == 'u' && Unit(next) is var low && char.IsLowSurrogate(low))
            {
                characters[written++] = unit;
                characters[written++] = low;
                read += unitLength;
            }
            else
            {
                characters[written++] = '\uFFFD';
            }
        }
        text.Advance(written);
        return read;
    }

    private static char Unit(ReadOnlySpan<byte> escape) => (char)(Digit(escape[2]) << 12 | Digit(escape[3]) << 8 | Digit(escape[4]) << 4 | Digit(escape[5]));

    /// <summary>The value of a hexadecimal digit, which the reader has seen to be one.</summary>
    private static int Digit(byte digit) => (digit & 15) + (digit >> 6) * 9;

    private readonly record struct Found(JsonTokenType Kind, int Start, int Length, bool IsEscaped);
}
