using System.Text;

namespace Streaming.Hosting.Configuration;

/// <summary>Writes the table of keys as a commented HOCON file: <c>reference.conf</c> and the <c>config.hocon</c> to start from.</summary>
internal static class ReferenceText
{
    private const int Width = 116;

    private const string ReferenceHeader = """
        Every key with its built-in value, which trains a small model on samples/ on the CPU in about two minutes.
        Relative paths here start where the program lies, run.directory where it was started.
        """;

    private const string UserHeader = """
        Configuration of a run: streaming train --config config.hocon
        Every key stands here with its built-in value; what is left out keeps it. Relative paths start at this file's folder.
        A value may come from the environment: learning-rate = ${?LEARNING_RATE} takes the variable where it is set, and
        leaves the value above it otherwise. --set training.max-steps=1000 on the command line goes above this file.
        """;

    private const string AkkaSection = """

        # Anything of Akka.NET's own configuration; the names are Akka's.
        akka {
          # Log lines of the actor system, on standard error. OFF, ERROR, WARNING, INFO or DEBUG.
          loglevel = WARNING
        }

        """;

    public static string Reference() => Write(ReferenceHeader);

    public static string UserTemplate() => Write(UserHeader);

    private static string Write(string header)
    {
        var text = new StringBuilder();
        foreach (var line in header.Split('\n'))
            text.Append("# ").Append(line.TrimEnd('\r')).Append('\n');
        text.Append('\n').Append(Keys.Root).Append(" {\n");
        foreach (var section in Keys.All.GroupBy(k => k.Path.Split('.')[1]))
        {
            text.Append("  ").Append(section.Key).Append(" {\n");
            text.AppendJoin("\n", section.Select(WriteKey));
            text.Append("  }\n\n");
        }
        text.Length--; // no empty line after the last section
        return text.Append("}\n").Append(AkkaSection).ToString();
    }

    private static string WriteKey(Key key)
    {
        var text = new StringBuilder();
        var facts = $"Range: {key.Allowed}."
            + (key.Unit.Length > 0 ? $" Unit: {key.Unit}." : "")
            + $" Default: {key.Default}."
            + (key.Recipe.Length > 0 ? $" Recipe: {key.Recipe}." : "");
        foreach (var line in Wrap(key.Description).Concat(Wrap(facts)))
            text.Append("    # ").Append(line).Append('\n');
        return text.Append("    ").AppendJoin('.', key.Path.Split('.').Skip(2)).Append(" = ").Append(key.Default).Append('\n').ToString();
    }

    private static IEnumerable<string> Wrap(string text)
    {
        var line = new StringBuilder();
        foreach (var word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > Width - 6)
            {
                yield return line.ToString();
                line.Clear();
            }
            line.Append(line.Length > 0 ? " " : "").Append(word);
        }
        yield return line.ToString();
    }
}
