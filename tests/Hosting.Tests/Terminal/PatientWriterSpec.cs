using System.Text;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Tests.Terminal;

public sealed class PatientWriterSpec
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(100);

    /// <summary>A terminal that Ctrl-S holds and Ctrl-Q lets go.</summary>
    private sealed class HeldTerminal : TextWriter
    {
        private readonly ManualResetEventSlim _isOpen = new(true);
        private readonly StringBuilder _text = new();

        public override Encoding Encoding => Encoding.UTF8;

        public string Text
        {
            get
            {
                lock (_text)
                    return _text.ToString();
            }
        }

        public void Hold() => _isOpen.Reset();

        public void LetGo() => _isOpen.Set();

        public override void Write(string? value)
        {
            _isOpen.Wait();
            lock (_text)
                _text.Append(value);
        }
    }

    [Fact]
    public void What_is_flushed_is_written()
    {
        var terminal = new HeldTerminal();
        var screen = new Screen(new PatientWriter(terminal, TimeSpan.FromMinutes(1)), TextWriter.Null, columns: null);
        for (var i = 0; i < 100; i++)
        {
            screen.WriteLine($"step {i}");
            Assert.EndsWith($"step {i}\n", terminal.Text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_reader_who_stops_reading_keeps_nobody_waiting_for_long_and_sees_what_waited_when_it_goes_on()
    {
        var terminal = new HeldTerminal();
        var writer = new PatientWriter(terminal, s_patience, mostWaiting: 100);
        var screen = new Screen(writer, TextWriter.Null, columns: null);
        terminal.Hold();
        var began = System.Diagnostics.Stopwatch.StartNew();
        for (var i = 0; i < 1000; i++)
            screen.WriteLine($"step {i}");
        Assert.InRange(began.Elapsed, s_patience / 2, TimeSpan.FromSeconds(30)); // once, not a thousand times
        terminal.LetGo();
        screen.WriteLine("later"); // waits for all of it, or is left out: the one after it is not
        screen.WriteLine("last");
        Assert.True(SpinWait.SpinUntil(() => terminal.Text.EndsWith("last\n", StringComparison.Ordinal), TimeSpan.FromSeconds(30)), terminal.Text);
        Assert.StartsWith("step 0\nstep 1\n", terminal.Text, StringComparison.Ordinal);
        Assert.Contains("lines were left out here", terminal.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("step 999", terminal.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_that_is_full_fails_the_line_that_it_does_not_take()
    {
        using var full = new StreamWriter(new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0));
        using var writer = new PatientWriter(full, TimeSpan.FromMinutes(1));
        writer.Write("line\n");
        Assert.Throws<IOException>(writer.Flush);
    }
}
