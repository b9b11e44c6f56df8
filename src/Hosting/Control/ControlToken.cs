using System.Security.Cryptography;
using System.Text;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Control;

/// <summary>The secret that commands from other machines must bring. Compared in constant time, shown nowhere.</summary>
internal sealed class ControlToken
{
    public const string FileName = "control.token";
    private const int MinimumLength = 16;

    private readonly byte[] _digest;

    private ControlToken(string token) => _digest = Digest(token);

    /// <summary>Reads a token from a file that the user names.</summary>
    /// <exception cref="UserErrorException">It cannot be read, it holds no token, or one that is too short.</exception>
    public static ControlToken Read(string path)
    {
        string token;
        try
        {
            token = File.ReadAllText(path).Trim();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{Keys.TokenFile.Path} = {path} cannot be read: {failure.Message.TrimEnd('.')}; auto makes one in the run's folder.");
        }
        if (!IsWord(token))
            throw new UserErrorException($"{Keys.TokenFile.Path} = {path} holds no token, which is one word of letters, digits and signs (openssl rand -hex 32 makes one).");
        return token.Length >= MinimumLength
            ? new ControlToken(token)
            : throw new UserErrorException($"{Keys.TokenFile.Path} = {path} holds {token.Length} characters; a token has {MinimumLength} or more (openssl rand -hex 32 makes one).");
    }

    /// <summary>Whether a request's header can carry it.</summary>
    public static bool IsWord(string token) => token.All(letter => letter is > ' ' and <= '~');

    /// <summary>The token of a run's folder; made where there is none, readable by this user alone.</summary>
    public static ControlToken OfRun(string runDirectory)
    {
        var path = Path.Combine(runDirectory, FileName);
        if (File.Exists(path) && File.ReadAllText(path).Trim() is { Length: >= MinimumLength } kept)
            return new ControlToken(kept);
        var token = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        Directory.CreateDirectory(runDirectory);
        File.Delete(path);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var file = new FileStream(path, options);
        file.Write(Encoding.ASCII.GetBytes(token + "\n"));
        return new ControlToken(token);
    }

    public bool Equals(string offered) => CryptographicOperations.FixedTimeEquals(_digest, Digest(offered));

    // Of equal length whatever is offered.
    private static byte[] Digest(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
