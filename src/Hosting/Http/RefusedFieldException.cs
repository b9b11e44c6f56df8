namespace Streaming.Hosting.Http;

/// <summary>A request that is refused.</summary>
/// <param name="status">400 for what cannot be understood, 422 for a value that is not allowed.</param>
/// <param name="name">Which field is wrong; null where the whole body is.</param>
/// <param name="sentence">What is wrong and what is allowed.</param>
internal sealed class RefusedFieldException(int status, string? name, string sentence) : Exception(sentence)
{
    public int Status => status;

    public string? Field => name;
}
