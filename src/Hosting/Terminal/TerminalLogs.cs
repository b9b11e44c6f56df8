using Microsoft.Extensions.Logging;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Terminal;

/// <summary>Log lines of the program's parts, in step with the progress line, as the screen writes lines.</summary>
internal sealed class TerminalLogs(Screen screen) : ILoggerProvider
{
    public ILogger CreateLogger(string categoryName) => new Logger(screen);

    public void Dispose()
    {
    }

    private sealed class Logger(Screen screen) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None && logLevel >= screen.Level;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel) || exception is UserErrorException) // whose sentence the command tells
                return;
            var text = exception is null ? formatter(state, exception) : $"{formatter(state, exception)}\n{exception}";
            screen.WriteLog(logLevel, screen.Format == LogFormat.Text ? $"{logLevel.ToString().ToLowerInvariant()}: {text}" : text);
        }
    }
}
