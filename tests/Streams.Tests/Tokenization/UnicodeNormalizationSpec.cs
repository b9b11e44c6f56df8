using System.Text;
using Streaming.Streams.Tokenization;
using Streaming.Streams.Tokenization.HuggingFace;

namespace Streaming.Streams.Tests.Tokenization;

/// <summary>Cases of UAX #15 and of Unicode's NormalizationTest.txt, by hand.</summary>
public class UnicodeNormalizationSpec
{
    [Theory]
    [InlineData(NormalizationForm.FormC, "e\u0301", "\u00e9")]
    [InlineData(NormalizationForm.FormD, "\u00e9", "e\u0301")]
    [InlineData(NormalizationForm.FormC, "か\u3099き", "がき")]
    [InlineData(NormalizationForm.FormKC, "ｶﾞ①ﬁ㍿", "ガ1fi株式会社")]
    [InlineData(NormalizationForm.FormKD, "ガ", "カ\u3099")]
    [InlineData(NormalizationForm.FormC, "\u1112\u1161\u11ab\u1100\u1173\u11af", "한글")]
    [InlineData(NormalizationForm.FormD, "한", "\u1112\u1161\u11ab")]
    [InlineData(NormalizationForm.FormC, "하\u11ab", "한")]                        // a syllable takes a trailing consonant
    [InlineData(NormalizationForm.FormC, "a\u0323\u0307", "\u1ea1\u0307")]
    [InlineData(NormalizationForm.FormC, "a\u0307\u0323", "\u1ea1\u0307")]         // marks in the order of their classes
    [InlineData(NormalizationForm.FormC, "a\u0305\u0301", "a\u0305\u0301")]        // blocked by a mark of the same class
    [InlineData(NormalizationForm.FormC, "\u0958", "\u0915\u093c")]                // excluded from composition
    [InlineData(NormalizationForm.FormC, "\u212b\u2126", "\u00c5\u03a9")]          // singletons
    [InlineData(NormalizationForm.FormC, "\ud834\udd5e", "\ud834\udd57\ud834\udd65")]
    [InlineData(NormalizationForm.FormKC, "\ud835\udc00𠮷", "A𠮷")]
    [InlineData(NormalizationForm.FormC, "plain 漢字", "plain 漢字")]
    [InlineData(NormalizationForm.FormC, "", "")]
    public void Characters_are_composed_and_decomposed(NormalizationForm form, string text, string expected)
    {
        Assert.Equal(expected, Normalize(text, form));
        Assert.Equal(expected, Normalize(expected, form)); // once is enough
        Assert.Equal("x" + expected + "x", Normalize("x" + text + "x", form));
    }

    [Fact]
    public void A_hundred_thousand_marks_on_one_letter_take_no_longer_than_they_must()
    {
        var marks = string.Concat(Enumerable.Range(0, 50_000).Select(_ => "\u0315\u0323"));
        Assert.Equal("\u1ea1" + new string('\u0323', 49_999) + new string('\u0315', 50_000), Normalize("a" + marks, NormalizationForm.FormC));
    }

    private static string Normalize(string text, NormalizationForm form)
    {
        var output = new CharacterBuffer();
        UnicodeNormalization.Normalize(text, form, output);
        return output.Span.ToString();
    }
}
