using System.Diagnostics;

namespace Streaming.Hosting.Tests.Text;

/// <summary>Standard input and output that fail, as a shell hands them over.</summary>
public sealed class StandardStreamsSpec
{
    [Theory]
    [InlineData("config --defaults > /dev/full")]
    [InlineData("--help > /dev/full")]
    [InlineData("inspect --source FILE > /dev/full")]
    [InlineData("normalize < FILE > /dev/full")]
    public async Task A_full_disk_is_a_sentence_and_exit_code_1(string line)
    {
        var (code, errors) = await RunAsync(line);
        Assert.Equal((1, "streaming: standard output cannot be written: No space left on device.\n"), (code, errors));
    }

    [Fact]
    public async Task A_folder_as_standard_input_is_a_sentence() =>
        Assert.Equal((1, "streaming: standard input cannot be read: Is a directory.\n"), await RunAsync("normalize < /"));

    [Theory]
    [InlineData("config --defaults | true")]
    [InlineData("normalize < FILE | true")]
    public async Task A_reader_that_has_had_enough_is_no_failure(string line) => Assert.Equal((0, ""), await RunAsync(line));

    private static async Task<(int Code, string Errors)> RunAsync(string line)
    {
        var folder = AppContext.BaseDirectory;
        var text = Path.Combine(folder, "samples", "corpus-ja.txt");
        var start = new ProcessStartInfo("bash", ["-c", $"set -o pipefail; dotnet '{Path.Combine(folder, "streaming.dll")}' {line.Replace("FILE", $"'{text}'", StringComparison.Ordinal)}"])
        {
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, errors);
    }
}
