using System.Buffers;
using System.Text;

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
    internal sealed class State(PieceDecoding decoding)
    {
        private readonly byte[] _bytes = new byte[4]; // of a character that is not whole yet
        private int _byteCount;
        private bool _mayStripSpace = true;
        private bool _stripped;
        private bool _isEmpty = true;

        // Denormalisation rules may join what two pieces bring, so they see the whole text at the end.
        private readonly CharacterBuffer? _whole = decoding._denormalizer is null ? null : new CharacterBuffer();

        /// <summary>Some of what was appended is not in the text yet.</summary>
        public bool HoldsBack => _byteCount > 0 || _whole is not null;

        /// <summary>Appends the text that is certain now.</summary>
        /// <exception cref="InvalidOperationException">There is no such id.</exception>
        public void Append(int id, CharacterBuffer text)
        {
            var vocabulary = decoding.Vocabulary;
            if ((uint)id >= (uint)vocabulary.Count)
                throw new InvalidOperationException($"token id {id} is not in the vocabulary of {vocabulary.Count} pieces; decode with the tokenizer that encoded.");
            var output = _whole ?? text;
            var before = output.Length;
            var piece = vocabulary[vocabulary.Find(vocabulary[id].Text)]; // a control piece hides a normal one of the same name
            if (piece.Type == PieceType.Byte)
                AppendByte(Vocabulary.ByteOf(piece.Text)!.Value, output);
            else
                AppendPiece(piece, output);
            _isEmpty &= output.Length == before;
        }

        /// <summary>Appends what was held back; bytes that never became a character show U+FFFD each.</summary>
        public void Finish(CharacterBuffer text)
        {
            FlushBytes(_whole ?? text, atEnd: true);
            if (_whole is null)
                return;
            text.Append(decoding._denormalizer!.Normalize(_whole.Span, new CharacterBuffer()));
            _whole.Clear();
        }

        private void AppendPiece(Piece piece, CharacterBuffer output)
        {
            var before = output.Length;
            FlushBytes(output, atEnd: true);
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

        private void AppendByte(byte value, CharacterBuffer output)
        {
            _bytes[_byteCount++] = value;
            FlushBytes(output, atEnd: false);
        }

        private void FlushBytes(CharacterBuffer output, bool atEnd)
        {
            var bytes = _bytes.AsSpan(0, _byteCount);
            Span<char> utf16 = stackalloc char[2];
            while (!bytes.IsEmpty)
            {
                var status = Rune.DecodeFromUtf8(bytes, out var character, out var consumed);
                if (status == OperationStatus.NeedMoreData && !atEnd)
                    break;
                if (status != OperationStatus.Done) // the reference gives up one byte at a time
                    (character, consumed) = (Rune.ReplacementChar, 1);
                output.Append(utf16[..character.EncodeToUtf16(utf16)]);
                bytes = bytes[consumed..];
            }
            bytes.CopyTo(_bytes);
            _byteCount = bytes.Length;
        }
    }

    private Vocabulary Vocabulary { get; } = vocabulary;
}
