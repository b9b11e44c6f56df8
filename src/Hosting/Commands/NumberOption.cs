using System.CommandLine;
using System.Globalization;

namespace Streaming.Hosting.Commands;

/// <summary>Options that are numbers.</summary>
internal static class NumberOption
{
    /// <summary>A number whose range is checked where it is used.</summary>
    public static Option<T> Of<T>(string name, string description, T otherwise) =>
        new(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => otherwise };

    /// <summary>A whole number within a range.</summary>
    public static Option<int> Of(string name, string description, int otherwise, int minimum, int maximum)
    {
        var option = Of(name, description, otherwise);
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && int.TryParse(result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && (value < minimum || value > maximum))
                result.AddError($"{name} must be a whole number from {minimum} to {maximum}, was {value}");
        });
        return option;
    }
}
