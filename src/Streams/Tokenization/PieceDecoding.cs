namespace Streaming.Streams.Tokenization;

/// <summary>How the pieces of a model become text again, as SentencePiece's <c>Decode</c> does. Immutable; <see cref="State"/> is one text's.</summary>
internal sealed class PieceDecoding(SentencePieceModel model, Vocabulary vocabulary)
{
    private readonly string _unknownSurface = model.UnknownSurface;
    private readonly bool _stripsAllLeadingSpaces = model.Normalizer!.RemoveExtraWhitespaces;
    private readonly bool _stripsLeadingSpace = model.Normalizer.AddDummyPrefix || model.Normalizer.RemoveExtraWhitespaces;
    private readonly SentencePieceNormalizer? _denormalizer = model.Denormalizer is { CompiledRules.Length: > 0 } spec
        ? new SentencePieceNormalizer(spec, spaceAsSuffix: false, userDefined: null)
        : null;

    /// <summary>Where the decoding of one text stands. Not thread-safe.</summary>
    internal sealed class State(PieceDecoding decoding) : TextDecoding
    {
        private readonly ByteCharacters _bytes = new(oneForEachByte: true);
        private bool _mayStripSpace = true;
        private bool _stripped;
        private bool _isEmpty = true;

        // Denormalisation rules may join what two pieces bring, so they see the whole text at the end.
        private readonly CharacterBuffer? _whole = decoding._denormalizer is null ? null : new CharacterBuffer();

        /// <inheritdoc/>
        public override bool HoldsBack => _bytes.HoldsBack || _whole is not null;

        /// <inheritdoc/>
        public override void Append(int id, CharacterBuffer text)
        {
            var vocabulary = decoding.Vocabulary;
            if ((uint)id >= (uint)vocabulary.Count)
                throw new InvalidOperationException($"token id {id} is not in the vocabulary of {vocabulary.Count} pieces; decode with the tokenizer that encoded.");
            var output = _whole ?? text;
            var before = output.Length;
            var piece = vocabulary[vocabulary.Find(vocabulary[id].Text)]; // a control piece hides a normal one of the same name
            if (piece.Type == PieceType.Byte)
                _bytes.Append(Vocabulary.ByteOf(piece.Text)!.Value, output);
            else
                AppendPiece(piece, output);
            _isEmpty &= output.Length == before;
        }

        /// <inheritdoc/>
        public override void Finish(CharacterBuffer text)
        {
            _bytes.Finish(_whole ?? text);
            if (_whole is null)
                return;
            text.Append(decoding._denormalizer!.Normalize(_whole.Span, new CharacterBuffer()));
            _whole.Clear();
        }

        private void AppendPiece(Piece piece, CharacterBuffer output)
        {
            var before = output.Length;
            _bytes.Finish(output);
            if (_stripped || !_isEmpty || output.Length > before)
                _mayStripSpace = false;
            _stripped = false;
            if (piece.Type == PieceType.Control)
                return;
            if (piece.Type == PieceType.Unknown)
            {
                output.Append(decoding._unknownSurface);
                return;
            }
            var shown = piece.Text.AsSpan();
            if (_mayStripSpace && decoding._stripsLeadingSpace && shown[0] == SentencePieceNormalizer.EscapedSpace)
            {
                shown = shown[1..];
                _stripped = !decoding._stripsAllLeadingSpaces;
            }
            foreach (var character in shown)
                output.Append(character == SentencePieceNormalizer.EscapedSpace ? ' ' : character);
        }
    }

    private Vocabulary Vocabulary { get; } = vocabulary;
}
