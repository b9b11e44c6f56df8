using Streaming.Streams.Tokenization.BytePairs;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>The model of a <c>tokenizer.json</c>: byte pairs or unigram. Immutable. Errors: <see cref="FormatException"/> that names the part.</summary>
internal sealed class JsonModel
{
    /// <summary>Ids above are a mistake: no model has an embedding of so many rows.</summary>
    public const int HighestId = (1 << 24) - 1;

    private readonly Func<Segmenter> _createSegmenter;

    private JsonModel(Dictionary<string, int> vocabulary, int unknownId, bool hasByteFallback, Func<Segmenter> createSegmenter) =>
        (Vocabulary, UnknownId, HasByteFallback, _createSegmenter) = (vocabulary, unknownId, hasByteFallback, createSegmenter);

    /// <summary>Piece → id.</summary>
    public Dictionary<string, int> Vocabulary { get; }

    /// <summary>Negative where there is none.</summary>
    public int UnknownId { get; }

    public bool HasByteFallback { get; }

    /// <summary>What one thread segments words with.</summary>
    public Segmenter CreateSegmenter() => _createSegmenter();

    public static JsonModel Read(JsonPart part)
    {
        // Early files do not name the kind; only one of byte pairs has merges.
        var type = part.Find("type")?.Text() ?? (part.Find("merges") is null ? "WordPiece" : "BPE");
        return type switch
        {
            "BPE" => ReadBytePairs(part),
            "Unigram" => ReadUnigram(part),
            _ => throw part.Unsupported($"model of the type {type}"),
        };
    }

    private static JsonModel ReadBytePairs(JsonPart part)
    {
        foreach (var name in new[] { "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (part.Find(name) is { } affix && affix.Text().Length > 0)
                throw new FormatException($"{affix.Place} is \"{affix.Text()}\", and marks on parts of words are not supported");
        }
        if (part.Find("dropout") is { } dropout && dropout.Fraction() != 0)
            throw new FormatException($"{dropout.Place} is {dropout}, and leaving out merges at random is not supported");

        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (piece, id) in part.Require("vocab").Members())
            vocabulary[piece] = id.Number(HighestId);
        if (vocabulary.Count == 0)
            throw new FormatException("model.vocab holds no pieces");
        var texts = new string[vocabulary.Values.Max() + 1];
        foreach (var (piece, id) in vocabulary)
            texts[id] = piece;

        var unknown = part.Find("unk_token") is { } token ? vocabulary.GetValueOrDefault(token.Text(), -1) : -1;
        var byteFallback = part.Switch("byte_fallback", false);
        int[] bytes = byteFallback ? [.. Enumerable.Range(0, 256).Select(value => vocabulary.GetValueOrDefault($"<0x{value:X2}>", -1))] : [];
        var merges = ReadMerges(part, vocabulary);
        if (byteFallback && merges.FirstOrDefault(merge => bytes.Contains(merge.Left) || bytes.Contains(merge.Right)) is { Merged: > 0 } odd)
            throw new FormatException($"model.merges joins {texts[odd.Left]} and {texts[odd.Right]}, and merges of byte pieces are not supported");
        int[] emitted = [.. texts.Select((text, id) => text is null ? -1 : id)];
        var characters = vocabulary.Where(entry => IsCharacter(entry.Key)).Select(entry => (entry.Key.EnumerateRunes().First(), entry.Value));
        var model = new BytePairModel(characters, new MergeTable(merges, symbol => texts[symbol]), emitted)
        {
            UnknownId = unknown,
            JoinsUnknown = part.Switch("fuse_unk", false),
            ByteIds = bytes,
            Direct = part.Switch("ignore_merges", false) ? vocabulary : null,
        };
        return new JsonModel(vocabulary, unknown, byteFallback, () => new BytePairSegmenter(model));
    }

    // "a b", or ["a", "b"] where pieces may hold spaces.
    private static List<Merge> ReadMerges(JsonPart part, Dictionary<string, int> vocabulary)
    {
        var merges = new List<Merge>();
        foreach (var item in part.Require("merges").Items())
        {
            string[] pair = item.IsArray ? [.. item.Items().Select(half => half.Text())] : item.Text().Split(' ');
            if (pair.Length != 2 || pair[0].Length == 0 || pair[1].Length == 0)
                throw item.Wrong($"is {item}, which is no pair of pieces");
            if (!vocabulary.TryGetValue(pair[0], out var left) || !vocabulary.TryGetValue(pair[1], out var right) || !vocabulary.TryGetValue(pair[0] + pair[1], out var merged))
                throw item.Wrong($"is {item}, of which a piece, or what they make, is not in model.vocab");
            merges.Add(new Merge(left, right, merges.Count, merged));
        }
        return merges;
    }

    private static JsonModel ReadUnigram(JsonPart part)
    {
        var byteFallback = part.Switch("byte_fallback", false);
        var unknown = (part.Find("unk_id") ?? throw new FormatException("model.unk_id is missing, and a unigram model without an unknown piece is not supported")).Number(HighestId);
        var model = new SentencePieceModel { ByteFallback = byteFallback, BytePiecesMatchText = true, HasTrainer = true, Normalizer = new NormalizerSpec() };
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var item in part.Require("vocab").Items())
        {
            JsonPart[] pair = [.. item.Items()];
            if (pair.Length != 2)
                throw item.Wrong("is no pair of a piece and its score");
            var (text, id) = (pair[0].Text(), model.Pieces.Count);
            var type = id == unknown ? PieceType.Unknown
                : byteFallback && Tokenization.Vocabulary.ByteOf(text) is not null ? PieceType.Byte
                : text.Length == 0 ? throw item.Wrong("is an empty piece") : PieceType.Normal;
            model.Pieces.Add(new Piece(text, pair[1].Fraction(), type));
            vocabulary[text] = id;
        }
        if (unknown >= model.Pieces.Count)
            throw new FormatException($"model.unk_id is {unknown}, where model.vocab holds {model.Pieces.Count} pieces");
        try
        {
            var pieces = new Vocabulary(model);
            return new JsonModel(vocabulary, unknown, byteFallback, () => new ViterbiSegmenter(pieces));
        }
        catch (FormatException wrong)
        {
            throw new FormatException($"model.vocab cannot be used: {wrong.Message}", wrong);
        }
    }

    private static bool IsCharacter(string text) => text.Length == 1 || (text.Length == 2 && char.IsHighSurrogate(text[0]));
}
