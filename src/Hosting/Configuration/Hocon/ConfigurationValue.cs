namespace Streaming.Hosting.Configuration.Hocon;

/// <summary>A value of the resolved configuration: what remains after substitutions and merging.</summary>
internal abstract record ConfigurationValue(Origin Origin);

/// <summary>Text, a number or a switch; what it means is the reading key's matter.</summary>
internal sealed record ConfigurationScalar(string Text, bool Quoted, Origin Origin) : ConfigurationValue(Origin)
{
    /// <summary><c>null</c>, written to take a value away.</summary>
    public bool IsNull => !Quoted && Text == "null";
}

internal sealed record ConfigurationList(IReadOnlyList<ConfigurationValue> Items, Origin Origin) : ConfigurationValue(Origin);

internal sealed record ConfigurationObject(IReadOnlyList<KeyValuePair<string, ConfigurationValue>> Fields, Origin Origin) : ConfigurationValue(Origin)
{
    /// <summary>The value below <paramref name="path"/>, or null.</summary>
    public ConfigurationValue? Find(ReadOnlySpan<string> path)
    {
        ConfigurationValue? value = this;
        foreach (var key in path)
            value = (value as ConfigurationObject)?.Fields.FirstOrDefault(f => f.Key == key).Value;
        return value;
    }
}
