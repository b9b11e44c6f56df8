using Streaming.Streams.Text;
using static Streaming.Streams.Cleaning.CleaningReason;

namespace Streaming.Streams.Cleaning;

/// <summary>
/// Cleans documents: first the rules for single lines, then those for what is left of the document. What is kept is a
/// function of the document's lines alone. Not thread-safe: one a worker. Allocates nothing once its tables have grown.
/// </summary>
/// <param name="options">Thresholds.</param>
/// <param name="statistics">Counts what is kept and dropped; may be shared by cleaners.</param>
/// <param name="countsKept">Count what is kept too: not where a later step may still drop it.</param>
public sealed class DocumentCleaner(CleaningOptions options, CleaningStatistics? statistics = null, bool countsKept = true)
{
    /// <summary>Visible characters of a line up to which it may be an item of a menu.</summary>
    private const int LongestFragment = 24;

    /// <summary>Hiragana's share in an item of a menu; verse and headings of prose have more.</summary>
    private const double HiraganaOfFragment = 0.2;

    private readonly bool _isOff = options.HasNoRules;
    private readonly DocumentRules _documentRules = new(options);
    private readonly int[] _droppedLines = new int[CleaningReasons.Count];
    private readonly long[] _droppedCharacters = new long[CleaningReasons.Count];
    private CleaningReason[] _verdicts = new CleaningReason[256];
    private LineProfile[] _profiles = new LineProfile[256];

    public CleaningStatistics Statistics { get; } = statistics ?? new CleaningStatistics();

    /// <summary>
    /// Appends the lines of a document that are kept, in order, to <paramref name="kept"/>: none where the document is
    /// dropped. Empty lines are neither kept nor counted.
    /// </summary>
    /// <param name="lines">Text in which the document stands.</param>
    /// <param name="firstLine">Its first line.</param>
    /// <param name="endLine">The line after its last.</param>
    /// <param name="kept">Another batch, without an unfinished line.</param>
    /// <param name="sink">Is told what is dropped and why.</param>
    /// <returns>Why the document was dropped, or <see cref="None"/>.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The range does not lie in <paramref name="lines"/>.</exception>
    public CleaningReason Clean(TextBatch lines, int firstLine, int endLine, TextBatch kept, IRejectionSink? sink = null)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)endLine, (uint)lines.Count, nameof(endLine));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)firstLine, (uint)endLine, nameof(firstLine));
        var count = endLine - firstLine;
        if (_verdicts.Length < count)
        {
            Array.Resize(ref _verdicts, Math.Max(count, _verdicts.Length * 2));
            Array.Resize(ref _profiles, _verdicts.Length);
        }
        var verdicts = _verdicts.AsSpan(0, count);
        if (!_isOff)
            CheckLines(lines, firstLine, verdicts);
        else
            verdicts.Clear();

        var (profile, keptLines, droppedVisible) = (default(LineProfile), 0, 0);
        for (var index = 0; index < count; index++)
        {
            var line = lines[firstLine + index];
            if (line.IsEmpty)
                continue;
            if (verdicts[index] == None)
            {
                keptLines++;
                profile.Add(_profiles[index]);
                continue;
            }
            droppedVisible += _profiles[index].Visible;
            _droppedLines[(int)verdicts[index]]++;
            _droppedCharacters[(int)verdicts[index]] += line.Length;
            sink?.DropLine(lines, firstLine + index, verdicts[index]);
        }
        var verdict = _isOff || keptLines + droppedVisible == 0 ? None : _documentRules.Check(lines, firstLine, verdicts, profile, keptLines, droppedVisible);
        for (var index = 0; index < count; index++)
        {
            var line = lines[firstLine + index];
            if (verdicts[index] != None || line.IsEmpty)
                continue;
            _droppedLines[(int)verdict]++;
            _droppedCharacters[(int)verdict] += line.Length;
            if (verdict == None)
                kept.AppendLine(line);
        }
        if (verdict != None)
            sink?.DropDocument(lines, firstLine, endLine, verdict);
        Report(verdict, keptLines);
        return verdict;
    }

    private void CheckLines(TextBatch lines, int firstLine, Span<CleaningReason> verdicts)
    {
        var (run, runItems) = (0, 0); // where a run of fragments began, and how many it has
        for (var index = 0; index < verdicts.Length; index++)
        {
            var line = lines[firstLine + index];
            ref var profile = ref _profiles[index];
            profile = LineProfile.Of(line);
            verdicts[index] = None;
            if (line.IsEmpty)
                continue;
            verdicts[index] = LineRules.Check(line, profile, options, out var isFragment);
            if (options.FragmentListLines == 0)
                continue;
            if (verdicts[index] == None && isFragment && profile.Visible <= LongestFragment && profile.Hiragana <= HiraganaOfFragment * profile.Visible)
            {
                if (runItems++ == 0)
                    run = index;
            }
            else if (verdicts[index] == None)
            {
                DropRun(verdicts[run..index], runItems);
                runItems = 0;
            }
        }
        if (options.FragmentListLines > 0)
            DropRun(verdicts[run..], runItems);
    }

    private void DropRun(Span<CleaningReason> run, int items)
    {
        if (items < options.FragmentListLines)
            return;
        foreach (ref var verdict in run)
        {
            if (verdict == None)
                verdict = FragmentList;
        }
    }

    private void Report(CleaningReason verdict, int keptLines)
    {
        if (!countsKept)
            (_droppedLines[(int)None], _droppedCharacters[(int)None]) = (0, 0);
        if (verdict != None || keptLines > 0 && countsKept)
            Statistics.AddDocument(verdict);
        for (var reason = 0; reason < _droppedLines.Length; reason++)
        {
            if (_droppedLines[reason] == 0)
                continue;
            Statistics.AddLines((CleaningReason)reason, _droppedLines[reason], _droppedCharacters[reason]);
            (_droppedLines[reason], _droppedCharacters[reason]) = (0, 0);
        }
    }
}
