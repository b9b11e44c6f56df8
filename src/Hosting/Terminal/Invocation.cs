namespace Streaming.Hosting.Terminal;

/// <summary>How the user starts this program, for the commands that a summary proposes.</summary>
internal static class Invocation
{
    private const string BuildOutput = "/src/Hosting/bin/";

    /// <summary><c>dotnet run --project src/Hosting --</c> in a checkout, the program's path elsewhere.</summary>
    public static string Name { get; } = Find(AppContext.BaseDirectory, Environment.ProcessPath, Environment.CurrentDirectory);

    internal static string Find(string programFolder, string? processPath, string workingFolder)
    {
        var output = programFolder.IndexOf(BuildOutput, StringComparison.Ordinal);
        if (output >= 0)
            return $"dotnet run --project {Quote(Shortest(programFolder[..output] + "/src/Hosting", workingFolder))} --";
        if (processPath is null || Path.GetFileNameWithoutExtension(processPath) == "dotnet")
            return "streaming";
        var path = Shortest(processPath, workingFolder);
        return Quote(path.Contains('/') ? path : "./" + path);
    }

    /// <summary>A path relative to the working folder where that is shorter.</summary>
    public static string Shortest(string path, string workingFolder)
    {
        var relative = Path.GetRelativePath(workingFolder, path);
        return relative.Length < path.Length ? relative : path;
    }

    public static string Quote(string argument)
        => argument.All(c => char.IsLetterOrDigit(c) || c is '/' or '.' or '-' or '_' or '=' or ':') ? argument : $"'{argument.Replace("'", "'\\''")}'";
}
