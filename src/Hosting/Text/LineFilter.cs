using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Text;

/// <summary>A command that turns lines of standard input into lines of standard output.</summary>
internal static class LineFilter
{
    /// <summary>Takes one line and writes what becomes of it.</summary>
    public delegate void Line(ReadOnlySpan<char> line, LineWriter output);

    /// <summary>Runs over standard input.</summary>
    /// <exception cref="UserErrorException">It cannot be read.</exception>
    public static void RunOverStandardInput(Line line)
    {
        using var input = Console.OpenStandardInput();
        using var output = new StandardOutput();
        try
        {
            Run(input, output, line);
        }
        catch (IOException failure)
        {
            throw new UserErrorException($"standard input cannot be read: {failure.Message.TrimEnd('.')}.", ExitCodes.Failed);
        }
    }

    /// <summary>Runs over streams; what is written reaches the output before the input is waited for.</summary>
    public static void Run(Stream input, Stream output, Line line)
    {
        var reader = new LineReader(input);
        var writer = new LineWriter(output);
        while (reader.Fill())
        {
            while (reader.TryTake(out var text))
                line(text, writer);
            writer.Flush();
        }
    }
}
