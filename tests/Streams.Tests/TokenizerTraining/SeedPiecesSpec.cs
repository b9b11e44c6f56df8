using CsCheck;
using Streaming.Streams.TokenizerTraining;

namespace Streaming.Streams.Tests.TokenizerTraining;

public sealed class SeedPiecesSpec
{
    private const int Longest = 5;

    // Two scripts and a mark, so that there are runs to cut; few letters, so that there are repetitions of every length.
    private static readonly Gen<string[]> _sentences = Gen.String[Gen.Char["abあ。\u2581"], 1, 30].Array[1, 12];

    [Fact]
    public void Frequent_substrings_are_those_of_a_slow_search()
    {
        _sentences.Sample(sentences =>
        {
            var runs = Corpus.RunsOf(sentences);
            var found = SeedPieces.Find(runs, Longest, 10_000, workers: 2, CancellationToken.None)
                .ToDictionary(runs.TextOf, piece => piece.Frequency);
            Assert.Equal(Search(sentences), found.Select(piece => (piece.Key, piece.Value)).OrderBy(piece => piece.Key, StringComparer.Ordinal));
        }, iter: 500);
    }

    [Fact]
    public void The_best_substrings_stay_and_do_not_depend_on_the_workers()
    {
        var runs = Corpus.RunsOf(Enumerable.Range(0, Corpus.Sample.Count).Select(index => Corpus.Sample[index].ToString()));
        var all = SeedPieces.Find(runs, 16, int.MaxValue / 4, workers: 1, CancellationToken.None);
        var best = SeedPieces.Find(runs, 16, 500, workers: 3, CancellationToken.None);
        Assert.Equal(500, best.Length);
        Assert.Equal(all[..500], best);
        Assert.Equal(all.OrderByDescending(piece => piece.Score).Select(piece => piece.Score), all.Select(piece => piece.Score));
    }

    /// <summary>Every substring within a run that occurs twice and is followed by different things, counted one by one.</summary>
    private static IEnumerable<(string Text, long Frequency)> Search(string[] sentences)
    {
        var followers = new Dictionary<string, List<char>>();
        foreach (var sentence in sentences)
        {
            for (var start = 0; start < sentence.Length; start++)
            {
                for (var length = 2; length <= Longest && start + length <= sentence.Length && IsOneRun(sentence.AsSpan(start, length)); length++)
                {
                    if (!followers.TryGetValue(sentence.Substring(start, length), out var list))
                        followers[sentence.Substring(start, length)] = list = [];
                    list.Add(start + length < sentence.Length ? sentence[start + length] : '\0');
                }
            }
        }
        return followers.Where(entry => entry.Value.Distinct().Count() > 1)
            .Select(entry => (entry.Key, (long)entry.Value.Count))
            .OrderBy(entry => entry.Key, StringComparer.Ordinal);
    }

    private static bool IsOneRun(ReadOnlySpan<char> text)
    {
        var first = text[0] == '\u2581' ? text[1] : text[0];
        foreach (var character in text[1..])
        {
            if (character == '\u2581' || Script(character) != Script(first))
                return false;
        }
        return true;
    }

    private static int Script(char character) => character switch { 'a' or 'b' => 0, 'あ' => 1, _ => 2 };
}
