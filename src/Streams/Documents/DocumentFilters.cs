namespace Streaming.Streams.Documents;

/// <summary>Makes the filter that a source's options ask for.</summary>
internal static class DocumentFilters
{
    /// <summary>The filter; null where the text is taken as it is.</summary>
    public static IDocumentFilter? Of(SourceOptions source) => null;
}
