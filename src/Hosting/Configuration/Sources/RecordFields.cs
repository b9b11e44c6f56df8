using System.Reflection;
using System.Text.Json;
using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>The numbers and switches of an option record as keys: <c>MinimumLineCharacters</c> is <c>minimum-line-characters</c>.</summary>
internal sealed class RecordFields<T> where T : class
{
    private readonly Dictionary<string, PropertyInfo> _properties = typeof(T)
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.CanWrite && property.PropertyType.IsPrimitive)
        .ToDictionary(property => JsonNamingPolicy.KebabCaseLower.ConvertName(property.Name));

    /// <summary>The keys, in the record's order.</summary>
    public IReadOnlyCollection<string> Names => _properties.Keys;

    /// <summary>Sets a property of a record that nobody else has seen yet.</summary>
    /// <returns>The sentence for an unknown key or a value out of range, or null.</returns>
    public string? Set(T record, string name, ConfigurationValue value, string path)
    {
        if (!_properties.TryGetValue(name, out var property))
            return $"{path}.{name} is no key; the nearest is {Names.MinBy(known => EditDistance.Between(known, name))} ({value.Origin}).";
        return property.PropertyType switch
        {
            var type when type == typeof(int) => Set(new IntegerKind(0, int.MaxValue), number => checked((int)number)),
            var type when type == typeof(long) => Set(new IntegerKind(0, long.MaxValue), number => number),
            var type when type == typeof(double) => Set(new NumberKind(0, 1), number => number),
            var type when type == typeof(bool) => Set(new SwitchKind(), on => on),
            var type => throw new InvalidOperationException($"no key is made of {typeof(T).Name}.{property.Name}, a {type.Name}"),
        };

        string? Set<TValue>(ValueKind<TValue> kind, Func<TValue, object> convert)
        {
            if (!kind.TryRead(value, out var typed))
                return kind.Refuse($"{path}.{name}", value);
            property.SetValue(record, convert(typed));
            return null;
        }
    }
}
