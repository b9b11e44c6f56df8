using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Live;

namespace Streaming.Hosting.Tests.Live;

public sealed class EventLogSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("events-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Half_a_line_of_a_process_that_was_killed_does_not_spoil_the_next_one()
    {
        File.WriteAllText(Log, "{\"kind\":\"old\"}\n{\"kind\":\"ha");
        using (var log = Begin())
            log.Observe(new RunProtocol.Noticed("first"));
        Assert.Equal(["old", "started", "notice"], Kinds());
    }

    private string Log => Path.Combine(_folder, "events.jsonl");

    private EventLog Begin()
    {
        var log = new EventLog(TimeProvider.System);
        log.Observe(new RunProtocol.Started(_folder, "reference", 1, 0, 0, 10, null));
        return log;
    }

    private IEnumerable<string?> Kinds()
    {
        using var file = new FileStream(Log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(file);
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("kind").GetString())];
    }
}
