namespace Streaming.Model.Engines;

/// <summary>
/// What one forward pass sees: rows of token ids, where documents begin in them, and which tokens are worth predicting. Each token is
/// predicted from those before it in the same document of the same row; nothing attends or predicts across a document's start.
/// </summary>
/// <remarks>
/// Rotary positions run through the row: they act on attention by differences alone, so that counting anew at a document's start
/// would change nothing but rounding.
/// </remarks>
public readonly ref struct MicroBatch
{
    /// <summary>Label of a position whose next token is not predicted, as in PyTorch and Transformers.</summary>
    public const int Ignored = -100;

    /// <param name="tokens">Token ids (rows, columns), at least two columns.</param>
    /// <param name="rows">Sequences.</param>
    public MicroBatch(ReadOnlySpan<int> tokens, int rows)
    {
        if (rows < 1 || tokens.Length % rows != 0 || tokens.Length / rows < 2)
            throw new ArgumentException($"{tokens.Length} tokens are not {rows} rows of equal length and at least 2 tokens", nameof(tokens));
        Tokens = tokens;
        Rows = rows;
    }

    public ReadOnlySpan<int> Tokens { get; }
    public int Rows { get; }
    public int Columns => Tokens.Length / Rows;

    /// <summary>Positions in <see cref="Tokens"/> at which documents begin: ascending, the first 0. A row's start is one without being named; empty: there are no others.</summary>
    public ReadOnlySpan<int> DocumentStarts { get; init; }

    /// <summary>For each token whether predicting it counts: an answer's tokens, say, and not its question's. Empty: every one does.</summary>
    public ReadOnlySpan<bool> LossMask { get; init; }

    /// <summary>Writes each position's label: the next token, or <see cref="Ignored"/> at the end of a row or document and where the mask leaves it out.</summary>
    /// <param name="labels">(rows, columns)</param>
    /// <returns>Tokens that are predicted and count; the mean loss is over them.</returns>
    public int WriteLabels(Span<int> labels)
    {
        Check();
        var predicted = 0;
        for (int row = 0, columns = Columns; row < Rows; row++)
        {
            var start = row * columns;
            Tokens.Slice(start + 1, columns - 1).CopyTo(labels[start..]);
            labels[start + columns - 1] = Ignored;
            predicted += columns - 1;
        }
        foreach (var start in DocumentStarts)
            if (start > 0) predicted -= Ignore(labels, start - 1);
        for (var i = 1; i < LossMask.Length; i++)
            if (!LossMask[i]) predicted -= Ignore(labels, i - 1);
        return predicted;
    }

    /// <summary>Writes where documents begin, row starts included, and behind the last one where it ends: FlashAttention's cumulative lengths.</summary>
    /// <param name="boundaries">Room for one more than there are documents; at most <paramref name="positions"/> + 1.</param>
    /// <param name="positions">At least the number of tokens: rows of the same length follow up to there, a document each.</param>
    /// <returns>Documents.</returns>
    public int WriteBoundaries(Span<int> boundaries, int positions)
    {
        Check();
        int documents = 0, next = 0, columns = Columns;
        for (var row = 0; row < positions; row += columns)
        {
            boundaries[documents++] = row;
            for (; next < DocumentStarts.Length && DocumentStarts[next] < row + columns; next++)
                if (DocumentStarts[next] > row) boundaries[documents++] = DocumentStarts[next];
        }
        boundaries[documents] = positions;
        return documents;
    }

    private static int Ignore(Span<int> labels, int position)
    {
        var counted = labels[position] == Ignored ? 0 : 1;
        labels[position] = Ignored;
        return counted;
    }

    private void Check()
    {
        for (var i = 0; i < DocumentStarts.Length; i++)
        {
            var isOrdered = i == 0 ? DocumentStarts[0] == 0 : DocumentStarts[i] > DocumentStarts[i - 1];
            if (!isOrdered || DocumentStarts[i] >= Tokens.Length)
                throw new ArgumentException($"document starts must ascend from 0 and lie within {Tokens.Length} tokens, number {i} is {DocumentStarts[i]}");
        }
        if (!LossMask.IsEmpty && LossMask.Length != Tokens.Length)
            throw new ArgumentException($"the loss mask has {LossMask.Length} entries for {Tokens.Length} tokens");
    }
}

/// <summary>Calls for micro-batches of plain rows: one document each, every token predicted.</summary>
public static class PlainRows
{
    /// <inheritdoc cref="ITrainingEngine.Accumulate"/>
    /// <param name="engine">What trains.</param>
    /// <param name="tokens">Token ids (rows, columns).</param>
    /// <param name="rows">Sequences.</param>
    public static void Accumulate(this ITrainingEngine engine, ReadOnlySpan<int> tokens, int rows, int microBatches) =>
        engine.Accumulate(new MicroBatch(tokens, rows), microBatches);

    /// <inheritdoc cref="ITrainingEngine.Evaluate"/>
    /// <param name="engine">What evaluates.</param>
    /// <param name="tokens">Token ids (rows, columns).</param>
    /// <param name="rows">Sequences.</param>
    public static double Evaluate(this ITrainingEngine engine, ReadOnlySpan<int> tokens, int rows) => engine.Evaluate(new MicroBatch(tokens, rows));
}
