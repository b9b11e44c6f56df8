using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Streaming.Hosting.Terminal;

/// <summary>
/// Standard output of a run: lines that stay and, on a terminal, one line below them that is redrawn in place. Thread-safe,
/// so that log lines do not tear the progress apart. A line that cannot be written, on a full disk or a terminal that is gone, is lost;
/// the run goes on. It goes on too where nobody reads what is written (<see cref="PatientWriter"/>).
/// </summary>
/// <param name="output">Where lines go.</param>
/// <param name="errors">Where warnings and errors go.</param>
/// <param name="columns">Width of the terminal; null where output is not a terminal, and progress is then not drawn.</param>
internal sealed class Screen(TextWriter output, TextWriter errors, Func<int>? columns)
{
    private const string ClearToEnd = "\e[K";
    private static readonly TimeSpan _redrawInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private TextWriter _copy = TextWriter.Null;
    private int _level = (int)LogLevel.Information;
    private string _drawn = "";
    private long? _drawnAt;

    /// <summary>The process's own output.</summary>
    public static Screen ForConsole(LogFormat format = LogFormat.Text, LogLevel level = LogLevel.Information)
    {
        if (format == LogFormat.Auto)
            format = JournalStream.IsStandardOutput() ? LogFormat.Journal : LogFormat.Text;
        var isTerminal = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("TERM") is not ("dumb" or "" or null);
        // Containers have one stream of lines: what is an error says its level, not its descriptor.
        var standard = new DescriptorWriter(1);
        var output = new PatientWriter(standard, _patience);
        return new Screen(output, format == LogFormat.Json ? output : new PatientWriter(new DescriptorWriter(2), _patience), isTerminal && format == LogFormat.Text ? () => standard.Columns : null)
        {
            Format = format,
            Level = level,
        };
    }

    /// <summary>How lines are written.</summary>
    public LogFormat Format { get; init; } = LogFormat.Text;

    /// <summary>Least important level that is written; may change at any time.</summary>
    public LogLevel Level
    {
        get => (LogLevel)Volatile.Read(ref _level);
        set => Volatile.Write(ref _level, (int)value);
    }

    /// <summary>A progress line is drawn here.</summary>
    public bool IsLive => columns is not null;

    public void WriteLine(string line = "") => Write(output, LogLevel.Information, line);

    public void WriteError(string line) => Write(errors, LogLevel.Error, line);

    /// <summary>A sentence of what goes on in spite of it.</summary>
    public void WriteNotice(string sentence) => Write(errors, LogLevel.Warning, $"streaming: {sentence}");

    /// <summary>A line of a level; those below <see cref="Level"/> are left out.</summary>
    public void WriteLog(LogLevel level, string line) => Write(level >= LogLevel.Warning ? errors : output, level, line);

    /// <summary>An event with its fields, where lines are objects.</summary>
    public void WriteObject(LogLevel level, Action<Utf8JsonWriter> write)
    {
        if (level >= Level)
            WriteRaw(output, JsonLine.Of(write));
    }

    /// <summary>From now on, lines that stay go to <paramref name="writer"/> too, with their time.</summary>
    public void CopyTo(TextWriter writer)
    {
        lock (_lock)
            _copy = writer;
    }

    /// <summary>Redraws the progress line, ten times a second at most; does nothing where output is not a terminal.</summary>
    public void ShowProgress(params IReadOnlyList<string> fields)
    {
        if (columns is null)
            return;
        lock (_lock)
        {
            if (_drawnAt is { } at && Stopwatch.GetElapsedTime(at) < _redrawInterval)
                return;
            _drawn = Fit(fields, columns() - 1); // the last column stays free: terminals wrap there
            _drawnAt = Stopwatch.GetTimestamp();
            Try(() => WriteNow(output, '\r' + _drawn + ClearToEnd));
        }
    }

    /// <summary>Takes the progress line away.</summary>
    public void ClearProgress()
    {
        lock (_lock)
        {
            Try(Erase);
            _drawn = "";
        }
    }

    /// <summary>As many whole fields as fit, two blanks between them; at least the first, cut where it must be.</summary>
    internal static string Fit(IReadOnlyList<string> fields, int width)
    {
        width = Math.Max(width, 1);
        var line = fields[0].Length > width ? fields[0][..width] : fields[0];
        foreach (var field in fields.Skip(1))
        {
            if (line.Length + 2 + field.Length > width)
                break;
            line += "  " + field;
        }
        return line;
    }

    private void Write(TextWriter destination, LogLevel level, string line)
    {
        if (level < Level)
            return;
        switch (Format)
        {
            case LogFormat.Json when line.Length > 0:
                WriteRaw(destination, JsonLine.Of(level, line));
                break;
            case LogFormat.Json:
                break; // an empty line separates for people
            case LogFormat.Journal:
                WriteRaw(destination, string.Join('\n', line.Split('\n').Select(part => $"<{JournalPriority(level)}>{part}")));
                break;
            default:
                WriteRaw(destination, line);
                break;
        }
    }

    /// <summary>syslog's priorities, as sd-daemon(3) has them.</summary>
    private static int JournalPriority(LogLevel level) => level switch
    {
        LogLevel.Critical => 2,
        LogLevel.Error => 3,
        LogLevel.Warning => 4,
        LogLevel.Information => 6,
        _ => 7,
    };

    private void WriteRaw(TextWriter destination, string line)
    {
        lock (_lock)
        {
            Try(Erase); // before the other writer's text
            Try(() => WriteNow(destination, line + '\n'));
            Try(() => WriteNow(_copy, $"{DateTime.UtcNow:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {line}\n"));
            if (_drawn.Length > 0)
                Try(() => WriteNow(output, _drawn));
        }
    }

    private void Erase()
    {
        if (_drawn.Length > 0)
            WriteNow(output, '\r' + ClearToEnd);
    }

    private static void WriteNow(TextWriter destination, string text)
    {
        destination.Write(text);
        destination.Flush();
    }

    private static void Try(Action write)
    {
        try
        {
            write();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            // Nobody is left to be told.
        }
    }
}
