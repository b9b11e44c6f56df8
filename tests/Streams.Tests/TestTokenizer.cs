using Streaming.Streams.Tests.Tokenization;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Tests;

/// <summary>A small model with byte fallback: every text becomes tokens, and different texts become different tokens.</summary>
internal static class TestTokenizer
{
    private const int AddDummyPrefix = 3, RemoveExtraWhitespaces = 4;

    /// <summary>The model's file.</summary>
    public static byte[] Model { get; } = ModelFile.WithUnknown()
        .Piece("<s>", 0, ModelFile.Control)
        .Piece("</s>", 0, ModelFile.Control)
        .BytePieces()
        .Piece("a", -3).Piece("b", -3).Piece("ab", -4).Piece("abc", -5).Piece("\u2581", -3)
        .Piece("猫", -3).Piece("犬", -3).Piece("猫と", -4).Piece("と犬", -4).Piece("。", -2)
        .Trainer(35, 1) // byte fallback
        .Normalizer(AddDummyPrefix, false)
        .Normalizer(RemoveExtraWhitespaces, false)
        .ToBytes();

    public static TextTokenizer Instance { get; } = ModelFile.Load(Model);
}
