using Streaming.Streams.Tokenization;

namespace Streaming.Streams.TokenizerTraining;

/// <summary>Writes a trained model as <c>spm_train</c> does: fields of <c>sentencepiece_model.proto</c>, 0.1.97.</summary>
internal static class SentencePieceModelWriter
{
    public static byte[] Write(SentencePieceModel model, TokenizerTrainingOptions options)
    {
        var file = new ProtobufWriter();
        foreach (var piece in model.Pieces)
            file.Write(1, PieceOf(piece));
        file.Write(2, TrainerOf(model, options));
        file.Write(3, NormalizerOf(model.Normalizer!));
        return file.ToArray();
    }

    private static ProtobufWriter PieceOf(Piece piece)
    {
        var message = new ProtobufWriter();
        message.Write(1, piece.Text);
        message.Write(2, piece.Score);
        if (piece.Type != PieceType.Normal)
            message.Write(3, (long)piece.Type);
        return message;
    }

    private static ProtobufWriter TrainerOf(SentencePieceModel model, TokenizerTrainingOptions options)
    {
        var message = new ProtobufWriter();
        message.Write(3, (long)ModelType.Unigram);
        message.Write(4, model.Pieces.Count);
        message.Write(10, (float)options.CharacterCoverage);
        message.Write(11, options.InputSentenceSize);
        message.Write(14, options.SeedPieces);
        message.Write(15, (float)options.ShrinkingFactor);
        message.Write(17, options.SubIterations);
        message.Write(18, options.LongestSentence_bytes);
        message.Write(20, options.MaxPieceLength);
        message.Write(21, true); // split by script
        message.Write(22, true); // split by space
        message.Write(23, true); // split by number
        message.Write(35, options.ByteFallback);
        message.Write(40, SpecialPieces.UnknownId);
        message.Write(41, SpecialPieces.BeginId);
        message.Write(42, SpecialPieces.EndId);
        message.Write(43, SpecialPieces.PadId);
        message.Write(44, model.UnknownSurface);
        message.Write(45, options.Special.Unknown);
        message.Write(46, options.Special.Begin);
        message.Write(47, options.Special.End);
        message.Write(48, options.Special.Pad);
        return message;
    }

    private static ProtobufWriter NormalizerOf(NormalizerSpec spec)
    {
        var message = new ProtobufWriter();
        message.Write(1, "nmt_nfkc");
        message.Write(2, spec.CompiledRules);
        message.Write(3, spec.AddDummyPrefix);
        message.Write(4, spec.RemoveExtraWhitespaces);
        message.Write(5, spec.EscapeWhitespaces);
        return message;
    }
}
