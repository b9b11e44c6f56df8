using Streaming.Streams.Text;

namespace Streaming.Streams.Documents;

/// <summary>
/// Cleans the documents of one source, training and held-out ones alike, so that both sides agree on what is a duplicate.
/// One instance a source and stream.
/// </summary>
internal interface IDocumentFilter
{
    /// <summary>
    /// The parallel step, right after the documents have been extracted and hashed: rules for lines and documents, and what
    /// the serial step needs to know of each (<see cref="LineBatch.Findings"/>). Drops documents by
    /// <see cref="DocumentMark.IsDropped"/>, takes lines out by the way described at <see cref="LineBatch"/>. Thread-safe
    /// for distinct batches; its result follows from the batch alone.
    /// </summary>
    void Examine(LineBatch batch);

    /// <summary>
    /// The serial step, batch after batch in the order of the text: looks each document up among those before it and drops
    /// duplicates. Sets <see cref="DocumentMark.DuplicateEntries"/> of every document, dropped or not, to
    /// <see cref="Entries"/> as it was before that document. A later epoch sees the same documents again, its files perhaps
    /// in another order: they are not duplicates of themselves.
    /// </summary>
    void Admit(LineBatch batch);

    /// <summary>Entries in the index by now; only grows, through all epochs. 0 for ever where nothing is kept.</summary>
    long Entries { get; }

    /// <summary>
    /// Writes the index as it was when it had so many entries. Called from another thread while <see cref="Admit"/> goes on,
    /// which it must not hold up for long.
    /// </summary>
    void Save(long entries, Stream destination);

    /// <summary>Reads what <see cref="Save"/> wrote, before the first document.</summary>
    /// <param name="entries">As the cursor has it.</param>
    /// <exception cref="InvalidDataException">It is something else, or of other options; the message says what.</exception>
    void Restore(long entries, Stream source);
}
