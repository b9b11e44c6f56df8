using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>One key of the configuration, with everything that people are told about it.</summary>
internal abstract record Key
{
    /// <summary>Full path: <c>streaming.data.block-size</c>.</summary>
    public required string Path { get; init; }

    /// <summary>Built-in value, as HOCON.</summary>
    public required string Default { get; init; }

    /// <summary>What the key is, one or more sentences.</summary>
    public required string Description { get; init; }

    /// <summary>What a number counts; empty where there is nothing to count.</summary>
    public string Unit { get; init; } = "";

    /// <summary>The option of the recipe (run_clm.py, Transformers) that it stands for; empty where the recipe has none.</summary>
    public string Recipe { get; init; } = "";

    /// <summary>What is allowed, to be read after "must be".</summary>
    public abstract string Allowed { get; }

    /// <summary>The value as its type; false where it is not what <see cref="Allowed"/> says.</summary>
    public abstract bool TryRead(ConfigurationValue value, out object? result);

    /// <summary>The value as HOCON that means the same wherever it is read: paths are absolute.</summary>
    public abstract string Write(ConfigurationValue value);

    /// <summary>The sentence for a value that is not allowed.</summary>
    public abstract string Refuse(ConfigurationValue value);
}

/// <inheritdoc/>
/// <typeparam name="T">What the value is in C#.</typeparam>
internal sealed record Key<T>(ValueKind<T> Kind) : Key
{
    public override string Allowed => Kind.Allowed;

    public override bool TryRead(ConfigurationValue value, out object? result)
    {
        var allowed = Kind.TryRead(value, out var typed);
        result = typed;
        return allowed;
    }

    public override string Write(ConfigurationValue value) => Kind.TryRead(value, out var typed) ? Kind.Write(value, typed) : HoconWriter.Write(value);

    public override string Refuse(ConfigurationValue value) => Kind.Refuse(Path, value, Unit);
}
