using System.Text.Json;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>The pieces of a model that Transformers must know by name.</summary>
internal sealed class SpecialTokens
{
    public SpecialTokens(SentencePieceModel model)
    {
        Tokens = [.. model.Pieces.Index().Where(entry => entry.Item.Type is PieceType.Control or PieceType.Unknown or PieceType.UserDefined)];
        var control = model.Pieces.Where(piece => piece.Type == PieceType.Control).Select(piece => piece.Text).ToHashSet();
        var unknown = model.Pieces.First(piece => piece.Type == PieceType.Unknown).Text;
        Roles =
        [
            .. new[] { ("bos_token", model.BosPiece), ("eos_token", model.EosPiece), ("pad_token", model.PadPiece) }.Where(role => control.Contains(role.Item2)),
            ("unk_token", unknown),
        ];
    }

    /// <summary>Control, unknown and user-defined pieces, each with its id.</summary>
    public IReadOnlyList<(int Id, Piece Piece)> Tokens { get; }

    /// <summary>What Transformers calls those that it uses itself.</summary>
    public IReadOnlyList<(string Role, string Token)> Roles { get; }

    /// <summary>Writes how an added token is found in text: exactly, before normalisation.</summary>
    public static void WriteFields(Utf8JsonWriter json, Piece piece)
    {
        json.WriteString("content", piece.Text);
        json.WriteBoolean("single_word", false);
        json.WriteBoolean("lstrip", false);
        json.WriteBoolean("rstrip", false);
        json.WriteBoolean("normalized", false);
        json.WriteBoolean("special", piece.Type != PieceType.UserDefined);
    }
}
