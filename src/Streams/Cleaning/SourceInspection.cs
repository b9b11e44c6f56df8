using Streaming.Streams.Documents;
using Streaming.Streams.Measurement;
using Streaming.Streams.Sources;
using Streaming.Streams.Sources.Http;
using Streaming.Streams.Text;

namespace Streaming.Streams.Cleaning;

/// <summary>Shows what cleaning makes of a source, line by line: the very filter that a run uses, on one thread.</summary>
public sealed class SourceInspection
{
    private readonly SourceOptions _source;
    private readonly SourceFiles _files;

    /// <param name="source">What to look at.</param>
    /// <param name="http">How it is read where it is remote.</param>
    /// <exception cref="SourceException">A file is missing, or of a kind that is not read.</exception>
    public SourceInspection(SourceOptions source, HttpOptions? http = null)
    {
        _source = source with { Cleaning = source.Cleaning ?? CleaningOptions.Off };
        Source = new SourceStatistics(source.Name);
        _files = SourceFiles.Of(_source, new PipelineOptions { Sources = [_source], Tokenizer = "", BlockSize = 2, Rows = 1, Http = http ?? HttpOptions.Default }, Split.Train);
    }

    /// <summary>What was kept and dropped of the documents that were read so far; a batch is read at a time.</summary>
    public CleaningStatistics Statistics => Source.Cleaning;

    /// <summary>The same, and what could not be read.</summary>
    public SourceStatistics Source { get; }

    /// <summary>The documents of the first pass, in order, those without a line left out.</summary>
    /// <exception cref="SourceException">A file cannot be read.</exception>
    public IEnumerable<InspectedDocument> Documents(CancellationToken stop = default)
    {
        var verdicts = new Verdicts();
        var filter = new CleaningFilter(_source.Cleaning!, Statistics, () => verdicts);
        var pool = new LineBatchPool();
        // Small batches: the first documents show at once, and the statistics are of what was shown.
        var reader = new SourceReader(_files, Split.Train, epochs: 1, _files.StartOf(0), batchBytes: 1, pool, new StageStatistics("read"), Source);
        foreach (var batch in reader.Read(stop))
        {
            DocumentExtraction.Extract(batch);
            var documents = Snapshot(batch);
            verdicts.Begin(batch.Lines.Count);
            filter.Examine(batch);
            verdicts.FollowKept(batch);
            filter.Admit(batch);
            var line = 0;
            foreach (var (position, lines) in documents)
            {
                if (lines.Length > 0)
                {
                    var reasons = verdicts.Of(line, lines.Length, position);
                    yield return new InspectedDocument(_files[position.File].Name, position.Record, reasons.Document, [.. lines.Zip(reasons.Lines, (text, reason) => new InspectedLine(text, reason))]);
                }
                line += lines.Length;
            }
            pool.Return(batch);
        }
    }

    private static List<(SourcePosition Position, string[] Lines)> Snapshot(LineBatch batch)
    {
        var documents = new List<(SourcePosition, string[])>();
        var line = 0;
        foreach (ref var document in batch.Documents)
        {
            var lines = new string[document.LineEnd - line];
            for (var index = 0; index < lines.Length; index++)
                lines[index] = batch.Lines[line++].ToString();
            documents.Add((document.Position, lines));
        }
        return documents;
    }

    /// <summary>Gathers the verdicts on one batch by the index that each line had before it was cleaned.</summary>
    private sealed class Verdicts : IBatchRejections
    {
        private readonly Dictionary<SourcePosition, CleaningReason> _documents = [];
        private CleaningReason[] _lines = [];
        private List<int>? _kept;

        public SourcePosition Document { get; set; }

        public void Begin(int lines)
        {
            _lines = new CleaningReason[lines];
            _kept = null;
            _documents.Clear();
        }

        /// <summary>From here on lines are numbered as the rules have left them.</summary>
        public void FollowKept(LineBatch batch)
        {
            if (batch.Lines.Count == _lines.Length)
                return;
            var kept = Enumerable.Range(0, _lines.Length).Where(line => _lines[line] == CleaningReason.None).ToList();
            _kept = kept.Count == batch.Lines.Count ? kept : throw new InvalidOperationException($"{batch.Lines.Count} lines were kept, {kept.Count} were not reported as dropped");
        }

        public (CleaningReason Document, IEnumerable<CleaningReason> Lines) Of(int first, int count, SourcePosition document) =>
            (_documents.GetValueOrDefault(document), _lines.Skip(first).Take(count));

        public void DropLine(TextBatch lines, int line, CleaningReason reason) => _lines[_kept?[line] ?? line] = reason;

        public void DropDocument(TextBatch lines, int firstLine, int endLine, CleaningReason reason)
        {
            _documents[Document] = reason;
            for (var line = firstLine; line < endLine; line++)
            {
                ref var verdict = ref _lines[_kept?[line] ?? line];
                if (verdict == CleaningReason.None)
                    verdict = reason;
            }
        }

        public void Flush() { }
    }
}

/// <summary>One document and what became of it.</summary>
/// <param name="File">The file that it stands in.</param>
/// <param name="Record">Its number in the file, from 0.</param>
/// <param name="Reason">Why it was dropped as a whole; <see cref="CleaningReason.None"/> where something of it was kept, or nothing by the rules for lines alone.</param>
/// <param name="Lines">Its lines as extracted.</param>
public sealed record InspectedDocument(string File, long Record, CleaningReason Reason, IReadOnlyList<InspectedLine> Lines);

/// <param name="Text">Of the line.</param>
/// <param name="Reason">Why it was dropped, alone or with its document; <see cref="CleaningReason.None"/> where it was kept.</param>
public readonly record struct InspectedLine(string Text, CleaningReason Reason);
