using System.Text;

namespace Streaming.Hosting.Generation;

/// <summary>
/// Watches a growing text for strings that end it. What may be the beginning of one is held back, so that nothing is shown
/// of a stop string, nor of what follows it.
/// </summary>
internal sealed class StopStrings(IReadOnlyList<string> stops)
{
    private readonly StringBuilder _held = new();

    /// <summary>A stop string has come.</summary>
    public bool IsHit { get; private set; }

    /// <summary>Takes text in and returns what may be shown of it and of what was held back.</summary>
    public string Feed(ReadOnlySpan<char> text)
    {
        if (IsHit)
            return "";
        if (stops.Count == 0)
            return text.ToString();
        var all = _held.Append(text).ToString();
        var first = -1;
        foreach (var stop in stops)
        {
            var at = all.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first))
                first = at;
        }
        _held.Clear();
        if (first >= 0)
        {
            IsHit = true;
            return all[..first];
        }
        var shown = all.Length - LongestBeginning(all);
        _held.Append(all, shown, all.Length - shown);
        return all[..shown];
    }

    /// <summary>What was held back, at the end of the text.</summary>
    public string Finish()
    {
        var rest = _held.ToString();
        _held.Clear();
        return rest;
    }

    /// <summary>Length of the longest end of the text with which a stop string may begin.</summary>
    private int LongestBeginning(string text)
    {
        var longest = 0;
        foreach (var stop in stops)
        {
            for (var length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                {
                    longest = length;
                    break;
                }
            }
        }
        return longest;
    }
}
