using Streaming.Streams.Text;

namespace Streaming.Streams.Documents;

/// <summary>Makes documents of raw records.</summary>
internal static class DocumentExtraction
{
    /// <summary>Extracts each record of the batch, notes what it is told by, and drops what has no line.</summary>
    public static void Extract(LineBatch batch)
    {
        batch.Format.Extract(batch);
        var line = 0;
        foreach (ref var document in batch.Documents)
        {
            if (line == document.LineEnd)
                document.IsDropped = true;
            else if (document.Position.Part == 0)
                document.Hash = batch.Format.HashOf(batch.Lines, line);
            line = document.LineEnd;
        }
    }
}
