using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>What a key's value may be: one description for the comments and the error messages, one reader for the values.</summary>
internal abstract class ValueKind<T>
{
    /// <summary>What is allowed, to be read after "must be": <c>an integer from 1 to 4096</c>.</summary>
    public abstract string Allowed { get; }

    /// <summary>Reads a value; false where it is not what <see cref="Allowed"/> says.</summary>
    public abstract bool TryRead(ConfigurationValue value, out T result);

    /// <summary>The value as HOCON that means the same wherever it is read.</summary>
    public virtual string Write(ConfigurationValue value, T result) => HoconWriter.Write(value);

    /// <summary>For a value made of parts that is refused: the sentence for the part that is wrong; null or empty where the whole is.</summary>
    public virtual string? Explain(string path, ConfigurationValue value) => null;

    /// <summary>The sentence for a value that is not allowed.</summary>
    public string Refuse(string path, ConfigurationValue value, string unit = "") => Explain(path, value) is { Length: > 0 } part
        ? part
        : $"{path} must be {Allowed}{(unit.Length > 0 ? $" ({unit})" : "")}, was {HoconWriter.Write(value)} ({value.Origin}).";
}

/// <summary>An integer; <c>1e3</c> and <c>1000.0</c> are integers too.</summary>
internal sealed class IntegerKind(long minimum, long maximum) : ValueKind<long>
{
    public override string Allowed => maximum == long.MaxValue ? $"an integer, {minimum} or more" : $"an integer from {minimum} to {maximum}";

    public override bool TryRead(ConfigurationValue value, out long result)
    {
        result = 0;
        if (value is not ConfigurationScalar scalar
            || !decimal.TryParse(scalar.Text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var number)
            || number != decimal.Truncate(number) || number < minimum || number > maximum)
            return false;
        result = (long)number;
        return true;
    }
}

/// <summary>A finite number of double precision between bounds that may be exclusive.</summary>
internal sealed class NumberKind(double minimum, double maximum, bool aboveMinimum = false, bool belowMaximum = false) : ValueKind<double>
{
    public override string Allowed
    {
        get
        {
            if (double.IsPositiveInfinity(maximum))
                return aboveMinimum ? Text($"a number above {minimum}") : Text($"a number, {minimum} or more");
            return (aboveMinimum, belowMaximum) switch
            {
                (false, false) => Text($"a number from {minimum} to {maximum}"),
                (false, true) => Text($"a number from {minimum} to below {maximum}"),
                (true, false) => Text($"a number above {minimum}, at most {maximum}"),
                (true, true) => Text($"a number above {minimum} and below {maximum}"),
            };
        }
    }

    public override bool TryRead(ConfigurationValue value, out double result)
    {
        result = 0;
        return value is ConfigurationScalar scalar
            && double.TryParse(scalar.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out result)
            && double.IsFinite(result)
            && (aboveMinimum ? result > minimum : result >= minimum)
            && (belowMaximum ? result < maximum : result <= maximum);
    }

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}

/// <summary>A switch, with the words that HOCON has for it.</summary>
internal sealed class SwitchKind : ValueKind<bool>
{
    public override string Allowed => "true or false";

    public override bool TryRead(ConfigurationValue value, out bool result)
    {
        var text = (value as ConfigurationScalar)?.Text;
        result = text is "true" or "on" or "yes";
        return result || text is "false" or "off" or "no";
    }
}

/// <summary>One of a few words.</summary>
internal sealed class ChoiceKind<T>(params (string Word, T Value)[] choices) : ValueKind<T>
{
    public override string Allowed => string.Join(", ", choices[..^1].Select(c => c.Word)) + " or " + choices[^1].Word;

    public override bool TryRead(ConfigurationValue value, out T result)
    {
        var index = value is ConfigurationScalar scalar ? Array.FindIndex(choices, c => c.Word == scalar.Text) : -1;
        result = index < 0 ? default! : choices[index].Value;
        return index >= 0;
    }
}

/// <summary>Any text, or text of one form.</summary>
internal sealed class TextKind(string allowed, Regex? form = null) : ValueKind<string>
{
    public override string Allowed => allowed;

    public override bool TryRead(ConfigurationValue value, out string result)
    {
        result = value is ConfigurationScalar { IsNull: false } scalar ? scalar.Text : "";
        return value is ConfigurationScalar { IsNull: false } && form?.IsMatch(result) != false;
    }
}

/// <summary>An address to listen on.</summary>
internal sealed class AddressKind : ValueKind<string>
{
    public const string Form = "an IP address, localhost or \"*\"";

    public override string Allowed => Form;

    public override bool TryRead(ConfigurationValue value, out string result)
    {
        result = (value as ConfigurationScalar)?.Text ?? "";
        return Is(result);
    }

    public static bool Is(string text) => text is "*" or "localhost" || IPAddress.TryParse(text, out _);
}

/// <summary>A time with its unit: <c>500ms</c>, <c>30s</c>, <c>2 minutes</c>.</summary>
internal sealed partial class DurationKind(TimeSpan minimum, TimeSpan maximum) : ValueKind<TimeSpan>
{
    public override string Allowed => $"a time with its unit (ms, s, m, h) from {Write(minimum)} to {Write(maximum)}";

    public override bool TryRead(ConfigurationValue value, out TimeSpan result)
    {
        result = default;
        var match = Form().Match((value as ConfigurationScalar)?.Text ?? "");
        if (!match.Success)
            return false;
        var unit = match.Groups["unit"].Value switch
        {
            "ms" or "millis" or "millisecond" or "milliseconds" => TimeSpan.FromMilliseconds(1),
            "s" or "second" or "seconds" => TimeSpan.FromSeconds(1),
            "m" or "minute" or "minutes" => TimeSpan.FromMinutes(1),
            _ => TimeSpan.FromHours(1),
        };
        var ticks = double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) * unit.Ticks;
        if (ticks < minimum.Ticks || ticks > maximum.Ticks)
            return false;
        result = TimeSpan.FromTicks((long)ticks);
        return true;
    }

    private static string Write(TimeSpan time) => time.TotalSeconds >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds}s")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds}ms");

    [GeneratedRegex(@"^(?<number>\d+(\.\d+)?)\s*(?<unit>ms|millis|milliseconds?|s|seconds?|m|minutes?|h|hours?)$")]
    private static partial Regex Form();
}

/// <summary>An amount of memory with its unit: <c>12GiB</c>, <c>800 MiB</c>; or none.</summary>
internal sealed partial class SizeKind : ValueKind<long?>
{
    public override string Allowed => "none or a size with its unit (MB, MiB, GB, GiB) from 1MB to 1000000GiB";

    public override bool TryRead(ConfigurationValue value, out long? result)
    {
        result = null;
        var text = (value as ConfigurationScalar)?.Text ?? "";
        if (text == "none")
            return true;
        var match = Form().Match(text);
        if (!match.Success)
            return false;
        var unit = match.Groups["unit"].Value switch
        {
            "MB" => 1e6,
            "MiB" => 1 << 20,
            "GB" => 1e9,
            _ => (double)(1 << 30),
        };
        var bytes = double.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture) * unit;
        if (bytes is < 1e6 or > 1e6 * (1 << 30))
            return false;
        result = (long)bytes;
        return true;
    }

    [GeneratedRegex(@"^(?<number>\d{1,9}(\.\d{1,9})?)\s*(?<unit>MB|MiB|GB|GiB)$")]
    private static partial Regex Form();
}
