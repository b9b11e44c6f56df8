namespace Streaming.Streams.Batches;

/// <summary>What the text path hands to the trainer: rows of token ids, and where the stream stands after the last of them.</summary>
/// <param name="Tokens">Token ids, row after row, <c>Rows * BlockSize</c> of them.</param>
/// <param name="Rows">Sequences in the batch.</param>
/// <param name="BlockSize">Tokens a sequence.</param>
/// <param name="Cursor">A pipeline started from it yields the batch after this one.</param>
public sealed record TokenBatch(int[] Tokens, int Rows, int BlockSize, PipelineCursor Cursor)
{
    /// <summary>
    /// Indices into <see cref="Tokens"/> at which a document begins, ascending, the first 0; the start of each row is one
    /// too, so that attention is cut there. Null where documents are not told apart.
    /// </summary>
    public int[]? DocumentStarts { get; init; }

    /// <summary>
    /// For each of <see cref="Tokens"/> whether it is worth predicting: an answer's, and not its question's or padding. Null where all are.
    /// </summary>
    public bool[]? LossMask { get; init; }

    /// <summary>
    /// What the batch is made of, row by row; null where it is not recorded (<see cref="PipelineOptions.RecordDocuments"/>). Of a block from
    /// the token cache there is one piece, which names the document that the block ends in.
    /// </summary>
    public IReadOnlyList<BatchDocument>? Documents { get; init; }
}
