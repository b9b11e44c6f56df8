namespace Streaming.Hosting.Configuration;

/// <summary>Levenshtein's distance: how many characters to insert, delete or replace. Case, <c>_</c> and <c>-</c> make no difference.</summary>
internal static class EditDistance
{
    public static int Between(string first, string second)
    {
        var row = Enumerable.Range(0, second.Length + 1).ToArray(); // distances of a prefix of first to each prefix of second
        for (var i = 1; i <= first.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= second.Length; j++)
            {
                var replaced = diagonal + (Fold(first[i - 1]) == Fold(second[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[^1];
    }

    private static char Fold(char character) => character == '_' ? '-' : char.ToLowerInvariant(character);
}
