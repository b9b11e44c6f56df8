using Streaming.Streams.Batches;
using Streaming.Streams.Measurement;

namespace Streaming.Actors;

/// <summary>What the owner of the text path is told and what it answers.</summary>
public static class PipelineProtocol
{
    internal interface ICommand;

    /// <summary>The training text is open, for the first time or again after a rollback.</summary>
    /// <param name="Statistics">Counts what the stages do from now on; may be read at any time.</param>
    public sealed record TextOpened(PipelineStatistics Statistics) : RunProtocol.IEvent;

    /// <summary>Open the training text behind a cursor; a stream that is open is closed first. Answered by <see cref="Opened"/> or <see cref="NotOpened"/>.</summary>
    /// <param name="Cursor">Where to go on; null begins at the beginning.</param>
    /// <param name="StateFolder">Where the files that belong to the cursor lie; null where there are none.</param>
    /// <param name="WithDocuments">Batches say which documents they are made of.</param>
    /// <param name="Request">Comes back in the answer, so that a restarted trainer knows its own.</param>
    internal sealed record Open(PipelineCursor? Cursor, string? StateFolder, bool WithDocuments, object Request) : ICommand;

    /// <summary>The training text is open.</summary>
    internal sealed record Opened(BatchStream Text, object Request);

    /// <summary>The training text cannot be opened.</summary>
    internal sealed record NotOpened(Exception Failure, object Request);

    /// <summary>The held-out batches, please: read once, kept, the same for every evaluation. Answered by <see cref="HeldOut"/> or <see cref="NotHeldOut"/>.</summary>
    internal sealed record GetHeldOut : ICommand;

    /// <param name="Batches">As many as asked for, or fewer where the text holds fewer.</param>
    internal sealed record HeldOut(IReadOnlyList<TokenBatch> Batches);

    /// <summary>The held-out text cannot be read.</summary>
    internal sealed record NotHeldOut(Exception Failure);
}
