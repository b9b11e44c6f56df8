using System.Text;
using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>
/// Reads the layers of the configuration, the lowest first: <c>reference.conf</c> in the program, the user's file,
/// <c>--set</c>. <c>${?NAME}</c> reads a key of the configuration or an environment variable.
/// </summary>
internal static class SettingsLoader
{
    public const string ReferenceName = "reference.conf";
    private const int DeepestInclude = 16;

    /// <param name="file">The user's configuration, or null.</param>
    /// <param name="assignments">What the command line sets.</param>
    /// <param name="environment">The value of an environment variable, or null.</param>
    /// <exception cref="UserErrorException">Everything that is wrong, one sentence each.</exception>
    public static Settings Load(string? file, IReadOnlyList<Assignment> assignments, Func<string, string?> environment)
    {
        try
        {
            var root = HoconParser.Parse(ReadReference(), ReferenceName, AppContext.BaseDirectory, NoInclude);
            if (file is not null)
                root.AddAll(ParseFile(file, "--config", Environment.CurrentDirectory, depth: 0));
            var errors = new List<string>();
            foreach (var assignment in assignments)
                assignment.ApplyTo(root, errors);
            var resolved = HoconResolver.Resolve(root, environment);
            var settings = SettingsValidator.Validate(resolved, errors);
            return settings ?? throw new UserErrorException(errors);
        }
        catch (HoconSyntaxException e)
        {
            throw new UserErrorException(e.Message);
        }
    }

    /// <summary>The text of the embedded <c>reference.conf</c>.</summary>
    public static string ReadReference()
    {
        using var stream = typeof(SettingsLoader).Assembly.GetManifestResourceStream(ReferenceName)
            ?? throw new InvalidOperationException($"{ReferenceName} is not embedded in the program");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static HoconObject ParseFile(string file, string namedBy, string folder, int depth)
    {
        var path = Path.GetFullPath(file, folder);
        if (depth > DeepestInclude)
            throw new HoconSyntaxException($"{file}: includes are more than {DeepestInclude} deep; a file seems to include itself.");
        string text;
        try
        {
            text = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(File.ReadAllBytes(path));
        }
        catch (DecoderFallbackException)
        {
            throw new HoconSyntaxException($"{file} is not UTF-8 text; save it as UTF-8.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var why = Directory.Exists(path) ? "is a folder, not a file" : File.Exists(path) ? "cannot be read: " + e.Message.TrimEnd('.') : "does not exist";
            throw new HoconSyntaxException($"{namedBy}: {path} {why}.");
        }
        var itsFolder = Path.GetDirectoryName(path)!;
        return HoconParser.Parse(text, file, itsFolder, included => ParseFile(included, $"include in {file}", itsFolder, depth + 1));
    }

    private static HoconObject NoInclude(string file) => throw new InvalidOperationException($"{ReferenceName} includes {file}");
}
