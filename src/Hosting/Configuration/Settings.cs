using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>The resolved and validated configuration: a typed value for every key, and where each was written.</summary>
internal sealed class Settings
{
    private readonly Dictionary<Key, (ConfigurationValue Written, object? Value)> _values;

    /// <param name="values">Every key of <see cref="Keys.All"/>.</param>
    /// <param name="akka">What stands below <c>akka</c>.</param>
    public Settings(Dictionary<Key, (ConfigurationValue Written, object? Value)> values, ConfigurationObject akka)
    {
        _values = values;
        Akka = akka;
    }

    /// <summary>The <c>akka</c> section as it is.</summary>
    public ConfigurationObject Akka { get; }

    /// <summary>Where the value of <paramref name="key"/> was written.</summary>
    public Origin OriginOf(Key key) => _values[key].Written.Origin;

    public T Get<T>(Key<T> key) => (T)_values[key].Value!;

    /// <summary>An integer whose range fits 32 bits.</summary>
    public int GetInt32(Key<long> key) => checked((int)Get(key));

    /// <summary>The value as HOCON, paths absolute.</summary>
    public string Write(Key key) => key.Write(_values[key].Written);

    /// <summary>The sentence for a value that is of its kind and yet does not fit.</summary>
    public string Refuse(Key key, string why) => $"{key.Path} {why} ({OriginOf(key)}).";
}
