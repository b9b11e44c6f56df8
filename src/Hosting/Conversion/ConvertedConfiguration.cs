using System.Globalization;
using System.Text;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Conversion;

/// <summary>The configuration that a conversion makes: values of keys, each with where it comes from.</summary>
internal sealed class ConvertedConfiguration
{
    private readonly Dictionary<Key, (ConfigurationValue Value, string Comment)> _values = [];

    /// <summary>Sets a key.</summary>
    /// <param name="comment">What stands behind the value in the file.</param>
    /// <returns>The assignment, for people.</returns>
    /// <exception cref="UserErrorException">The value is none that the key allows; the sentence names where it was written.</exception>
    public string Set(Key key, ConfigurationValue value, string comment)
    {
        if (!key.TryRead(value, out _))
            throw new UserErrorException(key.Refuse(value));
        _values[key] = (value, comment);
        return $"{Short(key)} = {HoconWriter.Write(value)}";
    }

    /// <inheritdoc cref="Set(Key, ConfigurationValue, string)"/>
    public string Set(Key key, string text, Origin origin, string comment) => Set(key, new ConfigurationScalar(text, Quoted: false, origin), comment);

    /// <inheritdoc cref="Set(Key, ConfigurationValue, string)"/>
    public string Set(Key key, double number, Origin origin, string comment) => Set(key, Write(number), origin, comment);

    public bool Has(Key key) => _values.ContainsKey(key);

    /// <summary>The file, its sections in the order of <c>reference.conf</c>.</summary>
    /// <param name="header">Lines of comment above.</param>
    public string ToHocon(IEnumerable<string> header)
    {
        var text = new StringBuilder();
        foreach (var line in header)
            text.Append("# ").Append(line).Append('\n');
        text.Append('\n').Append(Keys.Root).Append(" {\n");
        foreach (var group in Keys.All.Where(_values.ContainsKey).GroupBy(key => key.Path.Split('.')[1]))
        {
            text.Append("  ").Append(group.Key).Append(" {\n");
            foreach (var key in group)
                text.Append("    ").Append(key.Path.Split('.')[^1]).Append(" = ").Append(HoconWriter.Write(_values[key].Value)).Append("  # ").Append(OneLine(_values[key].Comment)).Append('\n');
            text.Append("  }\n");
        }
        return text.Append("}\n").ToString();
    }

    public static string Write(double number) =>
        number == Math.Floor(number) && Math.Abs(number) < 1e15
            ? ((long)number).ToString(CultureInfo.InvariantCulture)
            : number.ToString("R", CultureInfo.InvariantCulture).Replace("E-0", "e-", StringComparison.Ordinal).Replace("E", "e", StringComparison.Ordinal);

    private static string Short(Key key) => key.Path[(Keys.Root.Length + 1)..];

    private static string OneLine(string text) => string.Concat(text.Select(character => char.IsControl(character) ? ' ' : character));
}
