using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Streaming.Streams.Text;

/// <summary>Decodes UTF-8 as the Unicode standard's recommended practice has it: each invalid sequence becomes one U+FFFD.</summary>
internal static class Utf8Text
{
    /// <summary>Appends text to the unfinished line of a batch; returns the bytes of invalid sequences.</summary>
    public static long Append(TextBatch batch, ReadOnlySpan<byte> text)
    {
        var invalidBytes = 0L;
        while (true)
        {
            // A sequence never has fewer bytes than UTF-16 units.
            var status = Utf8.ToUtf16(text, batch.GetSpan(text.Length), out var read, out var written, replaceInvalidSequences: false);
            batch.Advance(written);
            if (status == OperationStatus.Done)
                return invalidBytes;
            text = text[read..];
            Rune.DecodeFromUtf8(text, out _, out var invalid);
            batch.Append([(char)Rune.ReplacementChar.Value]);
            invalidBytes += invalid;
            text = text[invalid..];
        }
    }
}
