using System.Buffers;
using Microsoft.ML.Tokenizers;
using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Tests.Tokenization;

/// <summary>What code written against <see cref="Tokenizer"/> sees.</summary>
public class TokenizerAbstractionsSpec
{
    private const string Text = "駅まで 𠮷へ Ａ歩く"; // 𠮷 takes four bytes

    private static readonly Tokenizer Tokenizer = TokenizerCases.LoadSmall("prefix-bytes");

    [Theory]
    [InlineData("prefix-bytes")]
    [InlineData("suffix-unknown")]
    public void Tokens_have_the_reference_ids_and_their_offsets_tile_the_normalised_text(string model)
    {
        Tokenizer tokenizer = TokenizerCases.LoadSmall(model);
        foreach (var line in TokenizerCases.ReadSmall(model))
        {
            var tokens = tokenizer.EncodeToTokens(line.Text, out var normalized);
            Assert.Equal(tokenizer.Normalizer!.Normalize(line.Text), normalized);
            Assert.Equal(line.Ids, tokens.Select(token => token.Id));
            Assert.Equal(line.Ids, tokenizer.EncodeToIds(line.Text.AsSpan()));
            Assert.Equal(line.Ids.Length, tokenizer.CountTokens(line.Text));
            var end = 0;
            foreach (var token in tokens)
            {
                Assert.Equal(end, token.Offset.Start.Value);
                end = token.Offset.End.Value;
                if (!token.Value.StartsWith("<0x", StringComparison.Ordinal))
                    Assert.Equal(normalized![token.Offset], token.Value);
            }
            Assert.Equal(normalized!.Length, end);
        }
    }

    [Fact]
    public void A_limit_takes_what_fits_and_cuts_no_character()
    {
        var all = Tokenizer.EncodeToTokens(Text, out var normalized);
        for (var limit = 1; limit <= all.Count + 1; limit++)
        {
            var ids = Tokenizer.EncodeToIds(Text, limit, out var normalizedToo, out var consumed);
            Assert.Equal(normalized, normalizedToo);
            Assert.True(ids.Count <= limit);
            Assert.Equal(all.Take(ids.Count).Select(token => token.Id), ids);
            Assert.Equal(ids.Count == 0 ? 0 : all[ids.Count - 1].Offset.End.Value, consumed);
            Assert.False(consumed < normalized!.Length && char.IsLowSurrogate(normalized[consumed]));
            if (ids.Count < limit && ids.Count < all.Count)
                Assert.StartsWith("<0x", all[ids.Count].Value); // less than the limit only before the bytes of one character
            Assert.Equal(consumed, Tokenizer.GetIndexByTokenCount(Text, limit, out _, out var count));
            Assert.Equal(ids.Count, count);
        }
    }

    [Fact]
    public void A_limit_from_the_end_takes_what_fits_and_cuts_no_character()
    {
        var all = Tokenizer.EncodeToTokens(Text, out var normalized);
        for (var limit = 1; limit <= all.Count + 1; limit++)
        {
            var index = Tokenizer.GetIndexByTokenCountFromEnd(Text, limit, out _, out var count);
            Assert.True(count <= limit);
            Assert.Equal(count == 0 ? normalized!.Length : all[^count].Offset.Start.Value, index);
            Assert.False(index < normalized!.Length && char.IsLowSurrogate(normalized[index]));
        }
        Assert.Equal(0, Tokenizer.GetIndexByTokenCountFromEnd(Text, all.Count, out _, out _));
    }

    [Fact]
    public void Without_normalisation_the_text_is_segmented_as_it_is()
    {
        var ids = Tokenizer.EncodeToIds(" Ａ", 10, out var normalized, out var consumed, considerNormalization: false);
        Assert.Null(normalized);
        Assert.Equal(2, consumed);
        Assert.Equal(["<0x20>", "<0xEF>", "<0xBC>", "<0xA1>"], ids.Select(((TextTokenizer)Tokenizer).IdToPiece));
    }

    [Fact]
    public void Decoding_into_a_span_stops_before_what_does_not_fit()
    {
        var ids = Tokenizer.EncodeToIds("駅まで𠮷");
        var whole = Tokenizer.Decode(ids);
        for (var size = 0; size <= whole.Length; size++)
        {
            var text = new char[size];
            var status = Tokenizer.Decode(ids, text, out var consumed, out var written);
            Assert.Equal(size < whole.Length ? OperationStatus.DestinationTooSmall : OperationStatus.Done, status);
            Assert.Equal(whole[..written], new string(text, 0, written));
            Assert.Equal(whole[..written], Tokenizer.Decode(ids.Take(consumed)));
        }
    }

    [Fact]
    public void An_id_outside_the_vocabulary_is_refused_by_name()
    {
        var refused = Assert.Throws<InvalidOperationException>(() => Tokenizer.Decode([5, 504]));
        Assert.Contains("token id 504", refused.Message);
        Assert.Equal(OperationStatus.InvalidData, Tokenizer.Decode([5, -1], new char[9], out var consumed, out _));
        Assert.Equal(1, consumed);
    }
}
