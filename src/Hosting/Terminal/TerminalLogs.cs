using Microsoft.Extensions.Logging;

namespace Streaming.Hosting.Terminal;

/// <summary>Log lines on standard error, in step with the progress line. systemd's journal reads the level from <c>&lt;N&gt;</c>.</summary>
internal sealed class TerminalLogs(Screen screen, bool forJournal) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Logger(screen, forJournal);

    public void Dispose()
    {
    }

    private sealed class Logger(Screen screen, bool forJournal) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var (word, priority) = logLevel switch
            {
                LogLevel.Critical => ("critical", 2),
                LogLevel.Error => ("error", 3),
                LogLevel.Warning => ("warning", 4),
                LogLevel.Information => ("information", 6),
                _ => ("debug", 7),
            };
            var text = exception is null ? formatter(state, exception) : $"{formatter(state, exception)}\n{exception}";
            var prefix = forJournal ? $"<{priority}>" : "";
            screen.WriteError(string.Join('\n', $"{word}: {text}".Split('\n').Select(line => prefix + line)));
        }
    }
}
