using Streaming.Streams.Compression;
using Streaming.Streams.Documents;
using Streaming.Streams.Sources;
using Streaming.Streams.Text;

namespace Streaming.Streams.Records;

/// <summary>
/// What a file holds: how it is cut into raw records, on the reading thread, and how a record becomes lines, in parallel.
/// One instance serves all files of a source at once, so it has no state.
/// </summary>
internal interface IRecordFormat
{
    /// <summary>
    /// Opens a file at a place that a reader of the same file stood at, with the least work that the format allows: text is
    /// opened by <see cref="SourceText.Open"/>, which seeks where it can.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="start">The beginning of the file, or a <see cref="IRecordReader.Position"/> of an earlier reader.</param>
    /// <param name="stop">Ends a long way to the place early; what is read then is not used.</param>
    /// <exception cref="SourceException">The file cannot be opened, or ends before the place. Anything else that is thrown is reported as damage of the file.</exception>
    IRecordReader Open(SourceFile file, SourcePosition start, CancellationToken stop);

    /// <summary>
    /// Opens a file at the first document that begins at or past a place, wherever that falls; a document that begins before
    /// it is passed over with all its parts. Records and lines may then be counted from the place on.
    /// </summary>
    /// <remarks>Any format can do it by reading all that lies before; one that finds the next record from any byte does better.</remarks>
    IRecordReader OpenPast(SourceFile file, SourcePosition place, CancellationToken stop) => ReadPast(this, file, place, stop);

    /// <summary>What the offsets of a file count up to, where that can be told without reading it; null elsewhere.</summary>
    /// <exception cref="SourceException">The file cannot be opened or is damaged.</exception>
    long? LengthOf(SourceFile file) => TextLength.Of(file);

    /// <summary>
    /// Turns each raw record of the batch into the lines of its document, without empty ones; a record that is no document
    /// (a redirect, an empty text) is dropped or left without lines. Thread-safe for distinct batches; each record by itself.
    /// </summary>
    void Extract(LineBatch batch);

    /// <summary>What tells an extracted document from others, whatever file it is in: by it a side of the held-out split is chosen.</summary>
    /// <param name="lines">Holds the document's lines, at least one.</param>
    /// <param name="first">Index of its first line.</param>
    ulong HashOf(TextBatch lines, int first) => DocumentHash.Of(lines[first]);

    /// <summary>Reads all that lies before a place and the rest of the document that it falls into.</summary>
    static IRecordReader ReadPast(IRecordFormat format, SourceFile file, SourcePosition place, CancellationToken stop)
    {
        var reader = format.Open(file, SourcePosition.StartOf(place.Epoch, place.File), stop);
        var passed = new LineBatch();
        while ((reader.Position.Offset < place.Offset || reader.Position.Part > 0) && !stop.IsCancellationRequested && reader.Read(passed))
            passed.Clear();
        return reader;
    }
}

/// <summary>Cuts one file into raw records. Used by one thread. What it yields follows from where it began alone.</summary>
internal interface IRecordReader : IDisposable
{
    /// <summary>Where the next record begins. Epoch and file are those of the start; offset and record never go back.</summary>
    SourcePosition Position { get; }

    /// <summary>Bytes of invalid UTF-8 so far, each sequence of which became one U+FFFD.</summary>
    long InvalidBytes { get; }

    /// <summary>Lines or records so far that were cut for their length.</summary>
    long CutLines { get; }

    /// <summary>Records so far that hold no text, or none that can be read, and were passed over.</summary>
    long RejectedRecords => 0;

    /// <summary>Where the first of them stood and what was wrong with it, for the log.</summary>
    string? FirstRejection => null;

    /// <summary>Sentences for those of the first epoch since the last call, each with file and place; none from a reader that names the first alone.</summary>
    IReadOnlyList<string> TakeRejections() => [];

    /// <summary>Where the text can be opened again without unpacking what lies before; null where there is no such place.</summary>
    ISeekPoints? SeekPoints => null;

    /// <summary>
    /// Appends the next raw record to the lines of the batch and closes it by <see cref="LineBatch.EndDocument"/> with the
    /// place at which it began, or passes over what is no record, which moves <see cref="Position"/> on and adds nothing.
    /// Bounded: a record past a few megabytes is cut or passed over. False at the end of the file.
    /// </summary>
    /// <exception cref="SourceException">The text cannot be read on. Anything else that is thrown is reported as damage of the file at <see cref="Position"/>.</exception>
    bool Read(LineBatch batch);
}
