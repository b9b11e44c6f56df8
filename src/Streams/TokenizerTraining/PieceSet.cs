namespace Streaming.Streams.TokenizerTraining;

/// <summary>
/// The pieces of a model in training and where they stand in the text. Which pieces start at a place is a chain: the longest
/// one there, the longest piece that is a beginning of it, and so on to the single character. So a place stores one number,
/// a piece another, and no look-up is needed ever again, as pieces only ever go. Pieces are in order of length, characters
/// first (piece c - 1 is the character with code c), and characters never go.
/// </summary>
internal sealed class PieceSet
{
    public const int None = -1;

    private readonly TextRuns _runs;
    private readonly int[] _longest; // of each place of the text
    private int[] _starts;
    private int[] _lengths;
    private int[] _shorter;

    /// <param name="runs">The text.</param>
    /// <param name="substrings">Pieces of two codes and more, each once.</param>
    /// <param name="workers">Threads.</param>
    /// <param name="stop">Ends the work.</param>
    public PieceSet(TextRuns runs, IEnumerable<Substring> substrings, int workers, CancellationToken stop)
    {
        _runs = runs;
        var all = Characters(runs).Concat(substrings.OrderBy(piece => piece.Length)).ToArray(); // a stable order
        _starts = Array.ConvertAll(all, piece => piece.Start);
        _lengths = Array.ConvertAll(all, piece => piece.Length);
        Scores = Array.ConvertAll(all, piece => Math.Log(piece.Score));
        _shorter = new int[all.Length];
        _longest = new int[runs.Text.Length];
        var total = Math.Log(all.Sum(piece => (double)piece.Score));
        for (var piece = 0; piece < all.Length; piece++)
            Scores[piece] -= total;
        var trie = new PieceTree(runs, _starts, _lengths, _shorter);
        Blocks.Of(runs.Text.Length).ForEach(workers, stop, block => trie.FindLongest(block, _longest));
    }

    public TextRuns Runs => _runs;

    public int Count => _lengths.Length;

    /// <summary>Pieces that are characters: the first so many.</summary>
    public int CharacterCount => _runs.Alphabet.Count;

    /// <summary>Log probabilities, a piece each.</summary>
    public double[] Scores { get; private set; }

    /// <summary>The longest piece at each place of the text; meaningless at the end of a run.</summary>
    public ReadOnlySpan<int> Longest => _longest;

    /// <summary>The next shorter piece that a piece begins with; <see cref="None"/> for a character.</summary>
    public ReadOnlySpan<int> Shorter => _shorter;

    /// <summary>Codes of each piece.</summary>
    public ReadOnlySpan<int> Lengths => _lengths;

    /// <summary>Where each piece stands in the text, once.</summary>
    public ReadOnlySpan<int> Starts => _starts;

    public string TextOf(int piece) => _runs.Alphabet.ToText(_runs.Text.Slice(_starts[piece], _lengths[piece]));

    /// <summary>Lets pieces go. All characters must stay.</summary>
    /// <param name="stays">One entry a piece.</param>
    /// <param name="workers">Threads.</param>
    public void Keep(ReadOnlySpan<bool> stays, int workers)
    {
        var remaining = new int[Count]; // the piece itself, renumbered, or the longest one left that it begins with
        var count = 0;
        for (var piece = 0; piece < Count; piece++)
        {
            if (!stays[piece])
            {
                remaining[piece] = remaining[_shorter[piece]];
                continue;
            }
            (_starts[count], _lengths[count], Scores[count]) = (_starts[piece], _lengths[piece], Scores[piece]);
            _shorter[count] = _shorter[piece] == None ? None : remaining[_shorter[piece]];
            remaining[piece] = count++;
        }
        if (count == Count)
            return;
        _starts = _starts[..count];
        _lengths = _lengths[..count];
        _shorter = _shorter[..count];
        Scores = Scores[..count];
        Blocks.Of(_longest.Length).ForEach(workers, CancellationToken.None, block =>
        {
            foreach (ref var longest in _longest.AsSpan(block.Start, block.Length))
                longest = remaining[longest];
        });
    }

    // Each code's first place in the text.
    private static IEnumerable<Substring> Characters(TextRuns runs)
    {
        var starts = new int[runs.Alphabet.Count + 1];
        var text = runs.Text;
        for (var place = text.Length - 1; place >= 0; place--)
            starts[text[place]] = place;
        return Enumerable.Range(1, runs.Alphabet.Count).Select(code => new Substring(starts[code], 1, runs.Alphabet.Counts[code]));
    }
}
