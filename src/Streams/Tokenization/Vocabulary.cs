using System.Globalization;
using System.Runtime.CompilerServices;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// The pieces of a SentencePiece model, arranged for look-up in both directions. Immutable. Errors: <see cref="FormatException"/>
/// where the pieces contradict each other or the model's settings, as SentencePiece itself refuses them.
/// </summary>
internal sealed class Vocabulary
{
    private const float UnknownPenalty = 10;

    /// <summary>Values of <see cref="Trie"/> from here down stand for user-defined pieces: see <see cref="UserDefinedId"/>.</summary>
    public const int FirstUserDefined = int.MinValue / 2;

    /// <summary>Values of <see cref="Trie"/> from here down, to <see cref="FirstUserDefined"/>, stand for unused pieces: see <see cref="UnusedId"/>.</summary>
    public const int FirstUnused = PieceTrie.NoValue - 1;

    private readonly Piece[] _pieces;
    private readonly Dictionary<string, int> _reserved = new(StringComparer.Ordinal);
    private readonly int[] _byteIds = new int[256];

    public Vocabulary(SentencePieceModel model)
    {
        _pieces = model.Pieces.ToArray();
        HasByteFallback = model.ByteFallback;
        UnknownId = -1;
        var lowest = float.MaxValue;
        var highest = 1.17549435e-38f; // FLT_MIN, which the reference starts from; so it is what all log probabilities give
        foreach (var piece in _pieces)
        {
            if (piece.Type != PieceType.Normal)
                continue;
            if (piece.Score < lowest)
                lowest = piece.Score;
            if (piece.Score > highest)
                highest = piece.Score;
        }
        UnknownScore = lowest - UnknownPenalty;
        HighestScore = highest;
        (Trie, UserDefined) = Arrange(model);
    }

    public int Count => _pieces.Length;

    /// <summary>Normal, user-defined and unused pieces; a node's score is that of a normal piece.</summary>
    public PieceTrie Trie { get; }

    /// <summary>User-defined pieces alone, or null where there are none.</summary>
    public PieceTrie? UserDefined { get; }

    public int UnknownId { get; private set; }

    /// <summary>Log probability of a character that no piece covers.</summary>
    public float UnknownScore { get; }

    /// <summary>Highest score of a normal piece.</summary>
    public float HighestScore { get; }

    /// <summary>Characters that no piece covers become their UTF-8 bytes' pieces.</summary>
    public bool HasByteFallback { get; }

    /// <summary>Ids of the 256 byte pieces; meaningless without <see cref="HasByteFallback"/>.</summary>
    public ReadOnlySpan<int> ByteIds => _byteIds;

    public Piece this[int id] => _pieces[id];

    public static int UserDefinedId(int value) => FirstUserDefined - value;

    public static int UnusedId(int value) => FirstUnused - value;

    /// <summary>The id of a piece, control, unknown and byte pieces first; negative where there is none.</summary>
    public int Find(ReadOnlySpan<char> piece)
    {
        if (_reserved.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(piece, out var id))
            return id;
        var value = Trie.Find(piece);
        return value <= FirstUserDefined ? UserDefinedId(value) : value <= FirstUnused ? UnusedId(value) : value;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private (PieceTrie All, PieceTrie? UserDefined) Arrange(SentencePieceModel model)
    {
        var all = new PieceTrieBuilder(expectedNodes: _pieces.Length * 3 / 2);
        PieceTrieBuilder? userDefined = null;
        var bytesFound = 0;
        for (var id = 0; id < _pieces.Length; id++)
        {
            var (text, score, type) = _pieces[id];
            var isNew = type switch
            {
                PieceType.Normal => all.TryAdd(text, id, score),
                PieceType.UserDefined => all.TryAdd(text, FirstUserDefined - id, 0) && (userDefined ??= new(expectedNodes: 64)).TryAdd(text, id, 0),
                PieceType.Unused => all.TryAdd(text, FirstUnused - id, 0),
                _ => _reserved.TryAdd(text, id),
            };
            if (!isNew)
                throw new FormatException($"piece {id} ({Quote(text)}) is there twice");
            if (type == PieceType.Unknown)
            {
                if (UnknownId >= 0)
                    throw new FormatException($"pieces {UnknownId} and {id} are both the unknown piece");
                UnknownId = id;
            }
            if (type == PieceType.Byte)
            {
                if (!HasByteFallback)
                    throw new FormatException($"piece {id} ({Quote(text)}) is a byte although byte fallback is off");
                _byteIds[ByteOf(text) ?? throw new FormatException($"piece {id} ({Quote(text)}) is no byte")] = id;
                bytesFound++;
                if (model.BytePiecesMatchText)
                    all.TryAdd(text, id, score);
            }
        }
        if (UnknownId < 0)
            throw new FormatException("it has no unknown piece");
        if (HasByteFallback && bytesFound < 256)
            throw new FormatException($"it has {bytesFound} byte pieces of 256 although byte fallback is on");
        if (all.IsEmpty)
            throw new FormatException("it has no piece that stands for text");
        return (all.Build(), userDefined?.Build());
    }

    // "<0x0A>", hexadecimal digits in upper case.
    internal static byte? ByteOf(string piece) =>
        piece is ['<', '0', 'x', _, _, '>']
        && byte.TryParse(piece.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
        && piece == $"<0x{value:X2}>"
            ? value
            : null;

    private static string Quote(string text) => text.Length <= 40 ? $"'{text}'" : $"'{text[..40]}…'";
}
