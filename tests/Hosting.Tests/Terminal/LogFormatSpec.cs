using System.Text.Json;
using Microsoft.Extensions.Logging;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Tests.Terminal;

public sealed class LogFormatSpec
{
    private readonly StringWriter _output = new();

    [Fact]
    public void Under_systemd_every_line_begins_with_journalds_priority_those_of_a_stack_trace_too()
    {
        var screen = Screen(LogFormat.Journal);
        screen.WriteLine("checkpoint after step 5");
        screen.WriteNotice("a record is passed over");
        screen.WriteError("streaming: the disk is full");
        new TerminalLogs(screen).CreateLogger("x").LogCritical(new InvalidOperationException("broken"), "first\nsecond");
        Assert.Equal(
            ["<6>checkpoint after step 5", "<4>streaming: a record is passed over", "<3>streaming: the disk is full", "<2>first", "<2>second", "<2>System.InvalidOperationException: broken", ""],
            _output.ToString().Split('\n'));
    }

    [Fact]
    public void A_users_mistake_is_the_commands_to_tell_and_no_stack_trace()
    {
        new TerminalLogs(Screen(LogFormat.Text)).CreateLogger("host").LogError(new UserErrorException("the port is in use."), "Hosting failed to start");
        Assert.Empty(_output.ToString());
    }

    [Theory]
    [InlineData("9:1063230", "socket:[1063230]", true)]
    [InlineData("9:1063230", "socket:[106323]", false)]
    [InlineData("9:1063230", "/var/log/run.txt", false)]
    [InlineData("9:1063230", null, false)]
    [InlineData("", "socket:[]", false)]
    [InlineData("9:", "socket:[]", false)]
    public void The_journals_form_is_for_the_journals_socket_alone(string stream, string? target, bool leads) => Assert.Equal(leads, JournalStream.Leads(stream, target));

    [Fact]
    public void For_containers_every_line_is_an_object_and_an_event_has_its_fields()
    {
        var screen = Screen(LogFormat.Json);
        var report = new JsonReport(screen, loggingSteps: 10, TimeProvider.System);
        report.Observe(new RunProtocol.Started("/runs/x", "reference", 1000, 0, 0, 100, null));
        for (var step = 1; step <= 10; step++)
            report.Observe(new TrainerProtocol.StepCompleted(step, float.NaN, 0.5f, 1e-3, 64, 64 * step, TimeSpan.FromSeconds(0.5), TimeSpan.Zero, 3, Skipped: false));
        report.Observe(new TrainerProtocol.SampleGenerated(10, "猫", "猫は\n「庭」\u001bにいる。"));
        screen.WriteLine();
        screen.WriteError("streaming: the disk is full");
        var lines = _output.ToString().TrimEnd('\n').Split('\n').Select(line => JsonDocument.Parse(line).RootElement).ToList();
        Assert.Equal(["started", "step", "sample", null], lines.Select(line => line.TryGetProperty("kind", out var kind) ? kind.GetString() : null));
        Assert.Equal(["information", "information", "information", "error"], lines.Select(line => line.GetProperty("level").GetString()));
        Assert.Equal(JsonValueKind.Null, lines[1].GetProperty("loss").ValueKind);
        Assert.Equal("猫は\n「庭」\u001bにいる。", lines[2].GetProperty("text").GetString());
        Assert.Equal("the disk is full", lines[3].GetProperty("message").GetString());
        Assert.All(lines, line => Assert.Equal(DateTimeKind.Utc, line.GetProperty("time").GetDateTime().Kind));
    }

    [Fact]
    public void A_level_that_is_set_while_the_run_goes_on_holds_from_the_next_line_on()
    {
        var screen = Screen(LogFormat.Text);
        var log = new TerminalLogs(screen).CreateLogger("x");
        log.LogDebug("too much");
        screen.Level = LogLevel.Debug;
        log.LogDebug("wanted");
        screen.Level = LogLevel.Error;
        screen.WriteLine("left out");
        log.LogWarning("left out");
        screen.WriteError("told");
        Assert.Equal("debug: wanted\ntold\n", _output.ToString());
    }

    private Screen Screen(LogFormat format) => new(_output, _output, columns: null) { Format = format };
}
