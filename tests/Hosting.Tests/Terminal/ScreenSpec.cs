using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Tests.Terminal;

public sealed class ScreenSpec
{
    [Theory]
    [InlineData(80, "step 1/9  loss 2.0  left 3s")]
    [InlineData(20, "step 1/9  loss 2.0")]
    [InlineData(17, "step 1/9")]
    [InlineData(4, "step")]
    public void A_line_has_as_many_fields_as_fit(int width, string expected)
        => Assert.Equal(expected, Screen.Fit(["step 1/9", "loss 2.0", "left 3s"], width));

    [Fact]
    public void A_line_that_stays_goes_above_the_progress()
    {
        var output = new StringWriter();
        var screen = new Screen(output, TextWriter.Null, () => 40);
        screen.ShowProgress("step 1");
        screen.WriteLine("checkpoint");
        screen.ClearProgress();
        Assert.Equal("\rstep 1\e[K\r\e[Kcheckpoint\nstep 1\r\e[K", output.ToString());
    }

    [Fact]
    public void Without_a_terminal_there_is_no_progress_and_no_control_character()
    {
        var output = new StringWriter();
        var screen = new Screen(output, TextWriter.Null, columns: null);
        screen.ShowProgress("step 1");
        screen.WriteLine("checkpoint");
        screen.ClearProgress();
        Assert.Equal("checkpoint\n", output.ToString());
    }

    [Fact]
    public void A_line_that_cannot_be_written_is_lost_and_the_other_writers_have_theirs()
    {
        using var full = new StreamWriter(new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0));
        var (errors, copy) = (new StringWriter(), new StringWriter());
        var screen = new Screen(full, errors, () => 40);
        screen.CopyTo(copy);
        screen.ShowProgress("step 1");
        screen.WriteLine("checkpoint");
        screen.WriteError("disk full");
        screen.ClearProgress();
        Assert.Equal("disk full\n", errors.ToString());
        Assert.Equal(["checkpoint", "disk full"], copy.ToString().TrimEnd().Split('\n').Select(line => line[(line.IndexOf(' ') + 1)..]));
    }

    [Fact]
    public void Progress_is_redrawn_ten_times_a_second_at_most()
    {
        var output = new StringWriter();
        var screen = new Screen(output, TextWriter.Null, () => 40);
        for (var i = 0; i < 1000; i++)
            screen.ShowProgress($"step {i}");
        Assert.StartsWith("\rstep 0\e[K", output.ToString());
        Assert.True(output.ToString().Split('\r').Length < 50); // a thousand calls take far less than five seconds
    }
}
