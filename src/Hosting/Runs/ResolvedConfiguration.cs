using System.Text;
using Streaming.Actors;
using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Model.Checkpoints;

namespace Streaming.Hosting.Runs;

/// <summary>Writes <c>config.hocon</c> into the run's folder once the run holds it: what the run is, every path absolute. How it
/// was resumed is left out, so that the file goes on with the run.</summary>
internal sealed class ResolvedConfiguration(Settings settings) : IRunObserver
{
    public const string FileName = "config.hocon";
    private const string FirstLine = "# What this run is, as resolved;";

    /// <summary>A file that somebody wrote must not give way to what was resolved of it.</summary>
    /// <param name="runDirectory">The run's folder.</param>
    /// <exception cref="UserErrorException">There is such a file in it.</exception>
    public static void RequireOwn(string runDirectory)
    {
        var path = Path.Combine(runDirectory, FileName);
        try
        {
            if (File.Exists(path) && File.ReadLines(path).FirstOrDefault(line => line.Length > 0)?.StartsWith(FirstLine, StringComparison.Ordinal) == false)
                throw new UserErrorException($"{Keys.RunDirectory.Path} = {runDirectory} holds a {FileName} of your own, which the run would overwrite with what it resolved: rename that file, or name another folder.");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read: {failure.Message.TrimEnd('.')}.");
        }
    }

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is not RunProtocol.Started started)
            return;
        DurableFiles.Write(Path.Combine(started.RunDirectory, FileName), Encoding.UTF8.GetBytes(
            $"{FirstLine} train --config {FileName} goes on with it. What is secret in a URL is left out.\n" + ConfigCommand.Print(settings, Keys.Resume)));
    }
}
