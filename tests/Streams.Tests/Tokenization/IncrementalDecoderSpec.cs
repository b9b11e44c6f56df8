using System.Text;

namespace Streaming.Streams.Tests.Tokenization;

public class IncrementalDecoderSpec
{
    [Theory]
    [InlineData("prefix-bytes")]
    [InlineData("suffix-unknown")]
    public void Random_ids_give_the_text_of_decoding_them_at_once(string model)
    {
        var tokenizer = TokenizerCases.LoadSmall(model);
        var random = new Random(2);
        for (var i = 0; i < 2000; i++)
        {
            var ids = Enumerable.Range(0, random.Next(30)).Select(_ => random.Next(random.Next(2) == 0 ? 260 : tokenizer.VocabularySize) % tokenizer.VocabularySize).ToArray();
            var decoder = tokenizer.CreateDecoder();
            var text = new StringBuilder();
            foreach (var id in ids)
            {
                var shown = decoder.Append(id).ToString();
                Assert.False(shown.Length > 0 && (char.IsHighSurrogate(shown[^1]) || char.IsLowSurrogate(shown[0])));
                text.Append(shown);
            }
            text.Append(decoder.Finish());
            Assert.Equal(tokenizer.Decode(ids), text.ToString());
        }
    }

    [Fact]
    public void A_character_shows_once_its_last_byte_came()
    {
        var tokenizer = TokenizerCases.LoadSmall("prefix-bytes");
        var decoder = tokenizer.CreateDecoder();
        string Append(string piece) => decoder.Append(tokenizer.PieceToId(piece)).ToString();
        Assert.Equal("", Append("<0xF0>"));
        Assert.Equal("", Append("<0xA0>"));
        Assert.Equal("", Append("<0xAE>"));
        Assert.Equal("𠮷", Append("<0xB7>"));
        Assert.Equal("", Append("<0xE3>"));
        Assert.Equal("\ufffd", Append("<0xE3>"));
        Assert.Equal("", Append("<0x81>"));
        Assert.Equal("\ufffd\ufffdab", Append("ab"));
        Assert.Equal("", Append("</s>"));
        Assert.Equal("", Append("<0xC3>"));
        Assert.Equal("\ufffd", decoder.Finish().ToString());
    }
}
