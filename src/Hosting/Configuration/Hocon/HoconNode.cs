namespace Streaming.Hosting.Configuration.Hocon;

/// <summary>Where a value was written.</summary>
/// <param name="Source">What people call the place: a file as they named it, <c>--set</c>, <c>reference.conf</c>.</param>
/// <param name="Folder">Full path that relative paths written there start from.</param>
/// <param name="Line">Line in the file from 1; 0 where the place has no lines.</param>
/// <param name="Environment">The environment variable that gave the value, or null.</param>
internal sealed record Origin(string Source, string Folder, int Line = 0, string? Environment = null)
{
    /// <summary>The place without the variable: <c>config.hocon:12</c>.</summary>
    public string Place => Line > 0 ? $"{Source}:{Line}" : Source;

    public override string ToString() => Environment is null ? Place : $"environment {Environment}, {Place}";
}

/// <summary>A piece of HOCON as written, before substitutions are looked up and assignments to one key are merged.</summary>
internal abstract record HoconNode(Origin Origin);

/// <summary>Text; <paramref name="Quoted"/> tells the string "null" from null.</summary>
internal sealed record HoconText(string Text, bool Quoted, Origin Origin) : HoconNode(Origin);

/// <summary><c>${path}</c> or <c>${?path}</c>: a key of the configuration, else an environment variable.</summary>
internal sealed record HoconSubstitution(string Path, bool Optional, Origin Origin) : HoconNode(Origin);

/// <summary>What was assigned to the same key before: what <c>+=</c> appends to.</summary>
internal sealed record HoconSelf(Origin Origin) : HoconNode(Origin);

/// <summary>Values written side by side: they become one string, one array or one merged object.</summary>
internal sealed record HoconConcatenation(IReadOnlyList<HoconNode> Parts, Origin Origin) : HoconNode(Origin);

internal sealed record HoconArray(IReadOnlyList<HoconNode> Items, Origin Origin) : HoconNode(Origin);

/// <summary>Keys in the order of their first appearance, each with everything assigned to it, oldest first.</summary>
internal sealed record HoconObject(Origin Origin) : HoconNode(Origin)
{
    private readonly Dictionary<string, List<HoconNode>> _assignments = new(StringComparer.Ordinal);
    private readonly List<string> _keys = [];

    public IReadOnlyList<string> Keys => _keys;

    public IReadOnlyList<HoconNode> this[string key] => _assignments.TryGetValue(key, out var nodes) ? nodes : [];

    /// <summary>Assigns <paramref name="value"/> at <paramref name="path"/>, below objects made on the way.</summary>
    public void Assign(ReadOnlySpan<string> path, HoconNode value)
    {
        var node = value;
        for (var depth = path.Length - 1; depth > 0; depth--)
        {
            var parent = new HoconObject(value.Origin);
            parent.Add(path[depth], node);
            node = parent;
        }
        Add(path[0], node);
    }

    /// <summary>Takes over every assignment of <paramref name="other"/>, above those already here.</summary>
    public void AddAll(HoconObject other)
    {
        foreach (var key in other.Keys)
        {
            foreach (var node in other[key])
                Add(key, node);
        }
    }

    private void Add(string key, HoconNode value)
    {
        if (!_assignments.TryGetValue(key, out var nodes))
        {
            _assignments.Add(key, nodes = []);
            _keys.Add(key);
        }
        nodes.Add(value);
    }
}
