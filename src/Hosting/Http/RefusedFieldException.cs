namespace Streaming.Hosting.Http;

/// <summary>A request that is refused.</summary>
/// <param name="status">400 for what cannot be understood, 422 for a value that is not allowed.</param>
/// <param name="name">Which field is wrong; null where the whole body is.</param>
/// <param name="sentence">What is wrong and what is allowed.</param>
internal sealed class RefusedFieldException(int status, string? name, string sentence) : Exception(sentence)
{
    public int Status => status;

    public string? Field => name;

    /// <summary>A field that there is not.</summary>
    public static RefusedFieldException Unknown(string field, IEnumerable<string> known)
    {
        var shown = Shown(field);
        var list = string.Join(", ", known);
        return new(400, shown, list.Length > 0 ? $"unknown field {shown}; known are {list}" : $"unknown field {shown}; this command has no fields");
    }

    /// <summary>A client's name, printable and short.</summary>
    public static string Shown(string name) => new([.. name.Where(c => !char.IsControl(c)).Take(64)]);
}
