namespace Streaming.Hosting.Conversion;

/// <summary>What a setting of another program became.</summary>
internal enum OutcomeKind
{
    /// <summary>A key of the configuration.</summary>
    Became,

    /// <summary>Nothing: what it steers is not there, or always so.</summary>
    NoMeaning,

    /// <summary>Nothing, although it changes what is trained: somebody must look at it.</summary>
    NoCounterpart,

    /// <summary>Nothing: it is no setting of the program that the file belongs to.</summary>
    NotKnown,
}

/// <summary>A setting and what it became, for people.</summary>
/// <param name="Name">Its name, with the sections above it.</param>
/// <param name="Value">Its value; empty where a default of the other program speaks.</param>
/// <param name="Text">The keys and values that it became, or the reason why none.</param>
internal sealed record Outcome(string Name, string Value, OutcomeKind Kind, string Text)
{
    public override string ToString()
    {
        var setting = Value.Length > 0 ? $"{Name} = {Value}" : Name;
        return Kind switch
        {
            OutcomeKind.Became => $"  {setting} -> {Text}",
            OutcomeKind.NoMeaning => $"  {setting} has no meaning here: {Text}",
            OutcomeKind.NoCounterpart => $"! {setting} has no counterpart: {Text}",
            _ => $"? {setting} is not known: {Text}",
        };
    }
}
