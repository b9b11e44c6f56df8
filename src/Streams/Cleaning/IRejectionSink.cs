using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Cleaning;

/// <summary>Is told what was thrown away, to show it or to write it down. Called by the thread that cleans.</summary>
public interface IRejectionSink
{
    /// <summary>A line of a document was dropped.</summary>
    /// <param name="lines">The text in which the line stands; valid during the call.</param>
    /// <param name="line">Its index.</param>
    /// <param name="reason">The rule.</param>
    void DropLine(TextBatch lines, int line, CleaningReason reason);

    /// <summary>
    /// A whole document was dropped, or what its line rules had left of it: those lines were reported before.
    /// </summary>
    /// <param name="lines">The text in which the document stands; valid during the call.</param>
    /// <param name="firstLine">Its first line.</param>
    /// <param name="endLine">The line after its last.</param>
    /// <param name="reason">The rule.</param>
    void DropDocument(TextBatch lines, int firstLine, int endLine, CleaningReason reason);
}

/// <summary>Is told what was thrown away from one batch of documents, by one thread.</summary>
internal interface IBatchRejections : IRejectionSink
{
    /// <summary>The document that is worked on.</summary>
    SourcePosition Document { set; }

    /// <summary>The batch is done.</summary>
    void Flush();
}
