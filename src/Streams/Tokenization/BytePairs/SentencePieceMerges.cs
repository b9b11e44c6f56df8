namespace Streaming.Streams.Tokenization.BytePairs;

/// <summary>
/// The merges of a SentencePiece model of byte pairs, which it does not list: any two neighbours whose texts together are a
/// piece may become it, the highest score first.
/// </summary>
internal sealed class SentencePieceMerges
{
    private readonly SentencePieceModel _model;
    private readonly List<string> _texts;
    private readonly Dictionary<string, int> _symbols;
    private readonly List<Merge> _merges = [];

    /// <exception cref="FormatException">A score is no number.</exception>
    public SentencePieceMerges(SentencePieceModel model)
    {
        _model = model;
        _texts = [.. model.Pieces.Select(piece => piece.Text)];
        _symbols = new Dictionary<string, int>(_texts.Count * 5 / 4, StringComparer.Ordinal);
        for (var id = 0; id < model.Pieces.Count; id++)
        {
            if (IsText(id))
                _symbols[_texts[id]] = id;
        }
        AddCharacters();
        AddMerges();
    }

    /// <exception cref="FormatException">A score is no number.</exception>
    public static BytePairModel Build(SentencePieceModel model, Vocabulary vocabulary) => new SentencePieceMerges(model).Build(vocabulary);

    /// <summary>
    /// The merges in the order in which the tokenizers library wants them. It has one rank a pair where SentencePiece has one
    /// a piece: where a piece can be made in two ways at overlapping places, SentencePiece takes the leftmost.
    /// </summary>
    public IEnumerable<(string Left, string Right)> Listed() =>
        _merges.Where(merge => Math.Max(merge.Left, merge.Right) < _model.Pieces.Count)
            .OrderBy(merge => merge.Rank).ThenBy(merge => merge.Merged).ThenBy(merge => merge.Left).ThenBy(merge => merge.Right)
            .Select(merge => (_texts[merge.Left], _texts[merge.Right]));

    private BytePairModel Build(Vocabulary vocabulary)
    {
        var emitted = new int[_texts.Count];
        var unused = new bool[_texts.Count];
        emitted.AsSpan().Fill(-1);
        for (var id = 0; id < _model.Pieces.Count; id++)
        {
            emitted[id] = vocabulary.Find(_texts[id]); // a control piece hides a normal one of the same name
            unused[id] = _model.Pieces[id].Type == PieceType.Unused;
        }
        var characters = _symbols.Where(entry => IsCharacter(entry.Key)).Select(entry => (entry.Key.EnumerateRunes().First(), entry.Value));
        return new BytePairModel(characters, new MergeTable(_merges, symbol => _texts[symbol]), emitted)
        {
            UnknownId = vocabulary.UnknownId,
            JoinsUnknown = true,
            ByteIds = vocabulary.HasByteFallback ? vocabulary.ByteIds.ToArray() : [],
            Whole = vocabulary.UserDefined,
            Unused = unused.Contains(true) ? unused : null,
            Texts = [.. _texts],
        };
    }

    private bool IsText(int id) => _model.Pieces[id].Type is PieceType.Normal or PieceType.UserDefined or PieceType.Unused;

    private static bool IsCharacter(string text) => text.Length == 1 || (text.Length == 2 && char.IsHighSurrogate(text[0]));

    // A character that pieces are made of need not be one.
    private void AddCharacters()
    {
        for (var id = 0; id < _model.Pieces.Count; id++)
        {
            if (!IsText(id))
                continue;
            foreach (var character in _texts[id].EnumerateRunes())
            {
                if (_symbols.TryAdd(character.ToString(), _texts.Count))
                    _texts.Add(character.ToString());
            }
        }
    }

    private void AddMerges()
    {
        var ranks = new Dictionary<float, int>();
        foreach (var score in _model.Pieces.Select(piece => piece.Score).Distinct().OrderDescending())
            ranks.Add(float.IsNaN(score) ? throw new FormatException("a piece's score is no number") : score, ranks.Count);
        var find = _symbols.GetAlternateLookup<ReadOnlySpan<char>>();
        for (var id = 0; id < _model.Pieces.Count; id++)
        {
            var text = _texts[id].AsSpan();
            if (!IsText(id))
                continue;
            for (var cut = 1; cut < text.Length; cut++)
            {
                if (!char.IsLowSurrogate(text[cut]) && find.TryGetValue(text[..cut], out var left) && find.TryGetValue(text[cut..], out var right))
                    _merges.Add(new Merge(left, right, ranks[_model.Pieces[id].Score], id));
            }
        }
    }
}
