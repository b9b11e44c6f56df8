using Streaming.Streams.Cleaning;

namespace Streaming.Streams.Documents;

/// <summary>Makes the filter that a source's options ask for.</summary>
internal static class DocumentFilters
{
    /// <summary>The filter; null where the text is taken as it is.</summary>
    /// <param name="source">Whose documents.</param>
    /// <param name="statistics">Counts what is kept and dropped.</param>
    /// <param name="writesRejected">Write what is dropped to the file that the source names: not for a second reading of the same text.</param>
    /// <exception cref="ArgumentOutOfRangeException">A cleaning option is out of its range.</exception>
    public static IDocumentFilter? Of(SourceOptions source, CleaningStatistics? statistics = null, bool writesRejected = false)
    {
        if (source.Cleaning is not { } cleaning || cleaning.HasNoRules && !cleaning.Duplicates.IsOn)
            return null;
        Func<IBatchRejections>? rejections = writesRejected && cleaning.RejectedFile is { } path
            ? () => RejectionFile.At(path).CreateBuffer(source.Name)
            : null;
        return new CleaningFilter(cleaning, statistics ?? new CleaningStatistics(), rejections);
    }
}
