global using ExitCodes = Streaming.Actors.ExitCodes;

namespace Streaming.Hosting.Configuration;

/// <summary>Mistakes of the user, one sentence each: they are printed without a stack trace.</summary>
/// <param name="sentences">What is wrong, with the value and the remedy.</param>
/// <param name="exitCode">What the process ends with: see <see cref="ExitCodes"/>.</param>
internal sealed class UserErrorException(IReadOnlyList<string> sentences, int exitCode = ExitCodes.WrongUsage) : Exception(string.Join('\n', sentences))
{
    public UserErrorException(string sentence, int exitCode = ExitCodes.WrongUsage)
        : this([sentence], exitCode)
    {
    }

    public IReadOnlyList<string> Sentences { get; } = sentences;

    public int ExitCode { get; } = exitCode;
}
