using System.Collections.Concurrent;
using Streaming.Streams.Documents;
using Streaming.Streams.Text;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// Cleaning as a filter of the text path: the rules and the fingerprints in parallel, the search for duplicates in the order
/// of the text. A duplicate leaves nothing behind in the index: what it resembles is there already.
/// </summary>
internal sealed class CleaningFilter : IDocumentFilter
{
    private readonly CleaningOptions _options;
    private readonly CleaningStatistics _statistics;
    private readonly Func<IBatchRejections?> _createRejections;
    private readonly ConcurrentBag<Worker> _workers = [];
    private readonly FingerprintIndex? _index;
    private readonly IBatchRejections? _rejections;
    private readonly bool _hasRules;
    private bool[] _wasThere = new bool[256];

    /// <param name="options">Rules and duplicates.</param>
    /// <param name="statistics">Counts what is kept and dropped.</param>
    /// <param name="createRejections">Gives each thread something to tell what it drops; null where nobody asks.</param>
    /// <exception cref="ArgumentOutOfRangeException">An option is out of its range.</exception>
    public CleaningFilter(CleaningOptions options, CleaningStatistics statistics, Func<IBatchRejections>? createRejections = null)
    {
        options.Validate();
        (_options, _statistics) = (options, statistics);
        _hasRules = !options.HasNoRules;
        _createRejections = () => createRejections?.Invoke();
        _rejections = _createRejections();
        if (options.Duplicates.IsOn)
            _index = new FingerprintIndex(options.Duplicates.MemoryBytes);
    }

    public long Entries => _index?.Count ?? 0;

    public void Examine(LineBatch batch)
    {
        if (!_workers.TryTake(out var worker))
            worker = new Worker(_options, _statistics, countsKept: _index is null, _createRejections());
        if (_hasRules || _index is null)
            worker.Clean(batch);
        if (_index is not null)
            worker.Hash(batch);
        worker.Rejections?.Flush();
        _workers.Add(worker);
    }

    public void Admit(LineBatch batch)
    {
        if (_index is null)
            return;
        var findings = (DocumentFingerprints)batch.Findings!;
        if (_wasThere.Length < batch.Lines.Count)
            _wasThere = new bool[Math.Max(batch.Lines.Count, _wasThere.Length * 2)];
        _wasThere.AsSpan(0, batch.Lines.Count).Clear();
        _index.Prefetch(findings.All);
        var (line, duplicateLines) = (0, 0);
        for (var index = 0; index < batch.Documents.Length; index++)
        {
            ref var document = ref batch.Documents[index];
            if (document.Position.Epoch != _index.Epoch)
                _index.BeginEpoch(document.Position.Epoch);
            document.DuplicateEntries = _index.Count;
            if (!document.IsDropped)
                duplicateLines += AdmitDocument(batch, index, line, findings);
            line = document.LineEnd;
        }
        if (duplicateLines > 0)
            DropLines(batch);
        _rejections?.Flush();
    }

    public void Save(long entries, Stream destination) => _index?.Save(entries, destination);

    public void Restore(long entries, Stream source) => _index?.Restore(entries, source);

    /// <summary>Looks a document up, and its lines if it is kept; returns how many of these were there.</summary>
    private int AdmitDocument(LineBatch batch, int index, int firstLine, DocumentFingerprints findings)
    {
        ref var document = ref batch.Documents[index];
        var lines = document.LineEnd - firstLine;
        var reason = _index!.ContainsAny([findings.Whole(index)]) ? CleaningReason.DuplicateDocument
            : _index.ContainsAny(findings.Bands(index)) ? CleaningReason.NearDuplicateDocument
            : CleaningReason.None;
        var known = 0;
        if (reason == CleaningReason.None)
        {
            _index.Add(findings.Document(index));
            if (findings.Lines(index) is { IsEmpty: false } fingerprints)
                known = _index.Add(fingerprints, _wasThere.AsSpan(firstLine, lines));
            if (known == lines && lines > 0)
                (reason, known) = (CleaningReason.DuplicateLine, 0);
        }
        var (characters, knownCharacters) = (0L, 0L);
        for (var line = firstLine; line < document.LineEnd; line++)
        {
            characters += batch.Lines[line].Length;
            if (known == 0 || !_wasThere[line])
                continue;
            knownCharacters += batch.Lines[line].Length;
            Rejections(document)?.DropLine(batch.Lines, line, CleaningReason.DuplicateLine);
        }
        if (reason != CleaningReason.None)
        {
            document.IsDropped = true;
            Rejections(document)?.DropDocument(batch.Lines, firstLine, document.LineEnd, reason);
        }
        _statistics.AddDocument(reason);
        _statistics.AddLines(reason, lines - known, characters - knownCharacters);
        _statistics.AddLines(CleaningReason.DuplicateLine, known, knownCharacters);
        return known;
    }

    private IBatchRejections? Rejections(in DocumentMark document)
    {
        if (_rejections is not null)
            _rejections.Document = document.Position;
        return _rejections;
    }

    private void DropLines(LineBatch batch)
    {
        var line = 0;
        foreach (ref var document in batch.Documents)
        {
            for (; line < document.LineEnd; line++)
            {
                if (!document.IsDropped && !_wasThere[line])
                    batch.Next.AppendLine(batch.Lines[line]);
            }
            document.LineEnd = batch.Next.Count;
        }
        batch.Replace();
    }

    /// <summary>What one thread needs at a time.</summary>
    private sealed class Worker(CleaningOptions options, CleaningStatistics statistics, bool countsKept, IBatchRejections? rejections)
    {
        private readonly DocumentCleaner _cleaner = new(options, statistics, countsKept);
        private readonly DocumentHasher _hasher = new(options.Duplicates);

        public IBatchRejections? Rejections => rejections;

        public void Clean(LineBatch batch)
        {
            var line = 0;
            foreach (ref var document in batch.Documents)
            {
                if (!document.IsDropped)
                {
                    if (rejections is not null)
                        rejections.Document = document.Position;
                    var kept = batch.Next.Count;
                    document.IsDropped = _cleaner.Clean(batch.Lines, line, document.LineEnd, batch.Next, rejections) != CleaningReason.None || batch.Next.Count == kept;
                }
                line = document.LineEnd;
                document.LineEnd = batch.Next.Count;
            }
            batch.Replace();
        }

        public void Hash(LineBatch batch)
        {
            var findings = batch.Findings as DocumentFingerprints ?? new DocumentFingerprints();
            findings.Clear();
            var line = 0;
            foreach (ref var document in batch.Documents)
            {
                if (document.IsDropped)
                    findings.AddNone();
                else
                    _hasher.Hash(batch.Lines, line, document.LineEnd, findings);
                line = document.LineEnd;
            }
            batch.Findings = findings;
        }
    }
}
