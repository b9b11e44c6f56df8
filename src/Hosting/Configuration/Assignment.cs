using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Configuration;

/// <summary>One <c>key=value</c> of the command line.</summary>
/// <param name="Text">As typed. The leading <c>streaming.</c> may be left out.</param>
/// <param name="Option">The option it came with: <c>--set</c>.</param>
internal sealed record Assignment(string Text, string Option = "--set")
{
    /// <summary>Assigns the value in <paramref name="root"/>, or adds the sentence that says why not.</summary>
    public void ApplyTo(HoconObject root, List<string> errors)
    {
        var separator = Text.IndexOf('=');
        if (separator <= 0)
        {
            errors.Add($"{Option} {Text}: '=' is missing; write {Option} key=value.");
            return;
        }
        try
        {
            var origin = new Origin(Option, Environment.CurrentDirectory);
            var path = HoconParser.ParsePath(Text[..separator].Trim(), Option);
            if (path[0] is not (Keys.Root or SettingsValidator.AkkaRoot))
                path = [Keys.Root, .. path];
            root.Assign(path, ParseValue(Text[(separator + 1)..].Trim(), origin));
        }
        catch (HoconSyntaxException e)
        {
            errors.Add($"{Option} {Text}: {e.Message}");
        }
    }

    /// <summary>Lists, objects and quoted strings are HOCON; anything else is taken as it stands.</summary>
    private HoconNode ParseValue(string text, Origin origin)
    {
        if (text is not ['[' or '{' or '"', ..])
            return new HoconText(text, Quoted: false, origin);
        var parsed = HoconParser.Parse("value = " + text, Option, origin.Folder, _ => throw new HoconSyntaxException("include is for files."));
        return WithOrigin(parsed["value"][^1], origin);
    }

    private static HoconNode WithOrigin(HoconNode node, Origin origin) => node switch
    {
        HoconArray array => new HoconArray([.. array.Items.Select(i => WithOrigin(i, origin))], origin),
        _ => node with { Origin = origin },
    };
}
