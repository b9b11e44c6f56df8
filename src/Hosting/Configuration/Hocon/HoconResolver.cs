namespace Streaming.Hosting.Configuration.Hocon;

/// <summary>
/// Looks up substitutions and merges what was assigned to one key: a later object adds to an earlier one, any other later
/// value replaces it, and an optional substitution of something that does not exist leaves the earlier value.
/// </summary>
internal sealed class HoconResolver
{
    private readonly HoconObject _root;
    private readonly Func<string, string?> _environment;

    /// <summary>Keys being resolved, each with the value of the assignments before the current one.</summary>
    private readonly Stack<(string Path, ConfigurationValue? Before)> _underway = new();

    private HoconResolver(HoconObject root, Func<string, string?> environment)
    {
        _root = root;
        _environment = environment;
    }

    /// <param name="root">Every layer in one object, the lowest first.</param>
    /// <param name="environment">The value of an environment variable, or null.</param>
    /// <exception cref="HoconSyntaxException">A required substitution names nothing, or values of different kinds stand side by side.</exception>
    public static ConfigurationObject Resolve(HoconObject root, Func<string, string?> environment)
        => (ConfigurationObject)new HoconResolver(root, environment).ResolveObject(root, [], before: null);

    private ConfigurationValue ResolveObject(HoconObject node, string[] path, ConfigurationObject? before)
    {
        var fields = before is null ? [] : before.Fields.ToList();
        foreach (var key in node.Keys)
        {
            var index = fields.FindIndex(f => f.Key == key);
            var value = Fold(node[key], [.. path, key], index < 0 ? null : fields[index].Value);
            if (value is null)
                continue;
            if (index < 0)
                fields.Add(new(key, value));
            else
                fields[index] = new(key, value);
        }
        return new ConfigurationObject(fields, node.Origin);
    }

    /// <summary>The value that assignments to one key leave, oldest first; null where none of them has one.</summary>
    private ConfigurationValue? Fold(IReadOnlyList<HoconNode> assignments, string[] path, ConfigurationValue? before)
    {
        foreach (var node in assignments)
        {
            _underway.Push((string.Join('.', path), before));
            before = ResolveNode(node, path, before) ?? before;
            _underway.Pop();
        }
        return before;
    }

    private ConfigurationValue? ResolveNode(HoconNode node, string[] path, ConfigurationValue? before) => node switch
    {
        HoconText text => new ConfigurationScalar(text.Text, text.Quoted, text.Origin),
        HoconObject value => ResolveObject(value, path, before as ConfigurationObject),
        HoconArray array => new ConfigurationList([.. array.Items.Select(i => ResolveNode(i, path, before: null)).OfType<ConfigurationValue>()], array.Origin),
        HoconSubstitution substitution => Merge(before, LookUp(substitution)),
        HoconConcatenation concatenation => Merge(before, Concatenate(concatenation, path, before)),
        HoconSelf => before,
        _ => throw new InvalidOperationException($"unknown node {node.GetType().Name}"),
    };

    private static ConfigurationValue? Merge(ConfigurationValue? before, ConfigurationValue? value)
    {
        if (before is not ConfigurationObject lower || value is not ConfigurationObject upper)
            return value;
        var fields = lower.Fields.ToList();
        foreach (var (key, field) in upper.Fields)
        {
            var index = fields.FindIndex(f => f.Key == key);
            if (index < 0)
                fields.Add(new(key, field));
            else
                fields[index] = new(key, Merge(fields[index].Value, field)!);
        }
        return new ConfigurationObject(fields, upper.Origin);
    }

    private ConfigurationValue? LookUp(HoconSubstitution substitution)
    {
        var value = LookUpKey(substitution);
        if (value is null && _environment(substitution.Path) is { } text)
            return new ConfigurationScalar(text, Quoted: true, substitution.Origin with { Environment = substitution.Path });
        if (value is null && !substitution.Optional)
            throw new HoconSyntaxException($"{substitution.Origin}: '${{{substitution.Path}}}' is neither a key nor an environment variable; '${{?{substitution.Path}}}' makes it optional.");
        return value;
    }

    private ConfigurationValue? LookUpKey(HoconSubstitution substitution)
    {
        var keys = HoconParser.ParsePath(substitution.Path, substitution.Origin.Place);
        var path = string.Join('.', keys);
        foreach (var (underway, before) in _underway)
        {
            if (underway == path)
                return before; // a key that refers to itself means its earlier value
        }
        IReadOnlyList<HoconNode> assignments = [_root];
        for (var depth = 0; depth < keys.Length; depth++)
            assignments = [.. assignments.SelectMany(a => Below(a, keys[depth]))];
        return Fold(assignments, keys, before: null);
    }

    /// <summary>What <paramref name="node"/> assigns to <paramref name="key"/>.</summary>
    private IReadOnlyList<HoconNode> Below(HoconNode node, string key) => node switch
    {
        HoconObject value => value[key],
        HoconSubstitution other when LookUp(other) is ConfigurationObject found && found.Find([key]) is { } value => [AsNode(value)],
        HoconConcatenation concatenation => [.. concatenation.Parts.SelectMany(p => Below(p, key))],
        _ => [],
    };

    private static HoconNode AsNode(ConfigurationValue value)
    {
        switch (value)
        {
            case ConfigurationScalar scalar:
                return new HoconText(scalar.Text, scalar.Quoted, scalar.Origin);
            case ConfigurationList list:
                return new HoconArray([.. list.Items.Select(AsNode)], list.Origin);
            default:
                var node = new HoconObject(value.Origin);
                foreach (var (key, field) in ((ConfigurationObject)value).Fields)
                    node.Assign([key], AsNode(field));
                return node;
        }
    }

    /// <summary>Joins values written side by side; blanks count between texts only, missing optional values not at all.</summary>
    private ConfigurationValue? Concatenate(HoconConcatenation concatenation, string[] path, ConfigurationValue? before)
    {
        var parts = concatenation.Parts.Select(p => ResolveNode(p, path, p is HoconSelf ? before : null)).OfType<ConfigurationValue>().ToList();
        if (parts.Exists(p => p is not ConfigurationScalar))
            parts.RemoveAll(p => p is ConfigurationScalar { Quoted: false } blank && string.IsNullOrWhiteSpace(blank.Text));
        if (parts.Count == 0 || parts.TrueForAll(p => p is ConfigurationScalar { Quoted: false } blank && string.IsNullOrWhiteSpace(blank.Text)))
            return null;
        var origin = (parts.Find(p => p.Origin.Environment is not null) ?? parts[0]).Origin;
        if (parts.TrueForAll(p => p is ConfigurationScalar))
        {
            var scalars = parts.Cast<ConfigurationScalar>().ToList();
            return new ConfigurationScalar(string.Concat(scalars.Select(s => s.Text)), scalars.Exists(s => s.Quoted), origin);
        }
        if (parts.TrueForAll(p => p is ConfigurationList))
            return new ConfigurationList([.. parts.Cast<ConfigurationList>().SelectMany(l => l.Items)], origin);
        if (parts.TrueForAll(p => p is ConfigurationObject))
            return parts.Aggregate((lower, upper) => Merge(lower, upper)!);
        throw new HoconSyntaxException($"{concatenation.Origin}: text, arrays and objects cannot stand side by side in the value of '{string.Join('.', path)}'.");
    }
}
