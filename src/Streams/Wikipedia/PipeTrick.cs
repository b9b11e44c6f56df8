namespace Streaming.Streams.Wikipedia;

/// <summary>What a link with an empty label reads: its target without namespace and without what tells it from its namesakes.</summary>
internal static class PipeTrick
{
    /// <summary>Where the label lies in the target: 東京 of <c>東京 (曖昧さ回避)</c>.</summary>
    public static (int Start, int Length) Label(ReadOnlySpan<byte> target)
    {
        var start = 0;
        var colon = target.IndexOf((byte)':');
        if (colon == 0)
        {
            colon = target[1..].IndexOf((byte)':');
            start = 1;
        }
        if (colon >= 0 && LinkTargets.Classify(target[start..]) != LinkPrefix.None)
            start += colon + 1;
        var label = target[start..];
        var end = label.Length;
        var trimmed = label.TrimEnd((byte)' ');
        var parenthesis = trimmed.EndsWith(")"u8) ? trimmed.LastIndexOf("("u8) : trimmed.EndsWith("）"u8) ? trimmed.LastIndexOf("（"u8) : -1;
        if (parenthesis > 0)
            end = parenthesis;
        else if (label.IndexOf(", "u8) is > 0 and var comma)
            end = comma;
        return (start, end);
    }
}
