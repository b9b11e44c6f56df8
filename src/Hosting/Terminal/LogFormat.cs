namespace Streaming.Hosting.Terminal;

/// <summary>How the lines of a run are written.</summary>
internal enum LogFormat
{
    /// <summary><see cref="Journal"/> under systemd, <see cref="Text"/> elsewhere.</summary>
    Auto,

    /// <summary>For people.</summary>
    Text,

    /// <summary>An object a line: <c>time</c>, <c>level</c>, <c>message</c>, and the event's own fields.</summary>
    Json,

    /// <summary>For people, each line begun with journald's level: <c>&lt;4&gt;</c>.</summary>
    Journal,
}
