using Streaming.Streams.Text;
using Streaming.Streams.TokenizerTraining;

namespace Streaming.Streams.Tests.TokenizerTraining;

public sealed class TokenizerTrainerSpec
{
    private static readonly TokenizerTrainingOptions _options = new() { VocabularySize = 2_500, Workers = 2 };

    [Fact]
    public void A_trained_model_has_the_asked_size_and_ids_and_gives_text_back()
    {
        var tokenizer = Corpus.Train(Corpus.Sample, _options);
        Assert.Equal(2_500, tokenizer.VocabularySize);
        Assert.Equal((0, 1, 2, 3), (tokenizer.PadId, tokenizer.UnknownId, tokenizer.BosId, tokenizer.EosId));
        Assert.Equal(["[PAD]", "[UNK]", "<s>", "</s>", "<0x00>"], Enumerable.Range(0, 5).Select(tokenizer.IdToPiece));
        Assert.Equal("<0xFF>", tokenizer.IdToPiece(259));
        var (tokens, characters) = (0, 0);
        for (var index = 0; index < Corpus.Sample.Count; index++)
        {
            var sentence = Corpus.Sample[index].ToString();
            tokens += tokenizer.Encode(sentence, out var ids);
            characters += sentence.Length;
            Assert.DoesNotContain(tokenizer.UnknownId, ids);
            // nmt_nfkc writes … as three dots, and so on; what is left is given back as it is
            Assert.Equal(tokenizer.Normalizer!.Normalize(sentence).Replace('\u2581', ' '), tokenizer.Decode(ids));
        }
        Assert.InRange(tokens, characters / 3, characters * 3 / 4); // pieces are longer than characters
    }

    [Fact]
    public void A_character_outside_the_alphabet_becomes_its_bytes()
    {
        var tokenizer = Corpus.Train(Corpus.Sample, _options);
        Assert.Equal(4, tokenizer.Encode("🍣", out var ids));
        Assert.Equal(["<0xF0>", "<0x9F>", "<0x8D>", "<0xA3>"], ids.Select(tokenizer.IdToPiece));
        var plain = Corpus.Train(Corpus.Sample, _options with { ByteFallback = false });
        Assert.Equal(1, plain.Encode("🍣", out ids));
        Assert.Equal([plain.UnknownId], ids);
        Assert.Equal(2_500, plain.VocabularySize);
    }

    [Fact]
    public void The_model_does_not_depend_on_the_number_of_workers()
    {
        var one = new TokenizerTrainer(_options with { Workers = 1 }).Train([Corpus.Sample], CancellationToken.None);
        var five = new TokenizerTrainer(_options with { Workers = 5 }).Train([Corpus.Sample], CancellationToken.None);
        Assert.Equal(one, five);
    }

    [Fact]
    public void The_dummy_prefix_is_the_models_own()
    {
        var tokenizer = Corpus.Train(Corpus.Sample, _options with { AddDummyPrefix = true });
        tokenizer.Encode("日本", out var ids);
        Assert.StartsWith("\u2581", tokenizer.IdToPiece(ids[0]));
        Assert.Equal("日本", tokenizer.Decode(ids));
    }

    [Fact]
    public void No_piece_crosses_scripts_or_exceeds_the_longest_length_and_scores_fall()
    {
        var tokenizer = Corpus.Train(Corpus.Sample, _options with { MaxPieceLength = 4 });
        for (var id = 260; id < tokenizer.VocabularySize; id++)
        {
            var piece = tokenizer.IdToPiece(id);
            Assert.InRange(piece.EnumerateRunes().Count(), 1, 4);
            Assert.DoesNotContain("\u2581", piece[1..]);
            Assert.Single(piece.EnumerateRunes().Where(rune => rune.Value != '\u2581').Select(UnicodeScripts.Of).Append(UnicodeScripts.Of(piece.EnumerateRunes().Last())).Distinct());
        }
    }

    [Fact]
    public void A_text_too_small_for_the_vocabulary_names_the_largest_that_fits()
    {
        var mistake = Assert.Throws<TokenizerTrainingException>(() => Corpus.Train(Corpus.Sample, _options with { VocabularySize = 50_000 }));
        Assert.StartsWith("the text is too small for a vocabulary of 50000 pieces; ask for at most ", mistake.Message);
        var largest = int.Parse(mistake.Message.Split("at most ")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(largest, Corpus.Train(Corpus.Sample, _options with { VocabularySize = largest }).VocabularySize);
        Assert.Throws<TokenizerTrainingException>(() => Corpus.Train(Corpus.Sample, _options with { VocabularySize = largest + 1 }));
    }

    [Fact]
    public void A_vocabulary_too_small_for_the_alphabet_names_the_smallest_that_holds_it()
    {
        var mistake = Assert.Throws<TokenizerTrainingException>(() => Corpus.Train(Corpus.Sample, _options with { VocabularySize = 500 }));
        var smallest = int.Parse(mistake.Message.Split("at least ")[1].Split(',')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(smallest, Corpus.Train(Corpus.Sample, _options with { VocabularySize = smallest }).VocabularySize);
    }

    [Fact]
    public void No_text_at_all_is_one_sentence()
    {
        Assert.Equal(
            "the sources hold no text to train on; name files with lines of text.",
            Assert.Throws<TokenizerTrainingException>(() => Corpus.Train(Corpus.Of("", " "), _options)).Message);
        Assert.Contains(
            "longer than 4192 bytes",
            Assert.Throws<TokenizerTrainingException>(() => Corpus.Train(Corpus.Of(new string('あ', 2_000)), _options)).Message);
    }

    [Fact]
    public void A_training_that_is_stopped_ends_at_once()
    {
        using var stop = new CancellationTokenSource();
        IEnumerable<TextBatch> Endless()
        {
            for (var batch = 0; ; batch++)
            {
                if (batch == 3)
                    stop.Cancel();
                yield return Corpus.Sample;
            }
        }
        Assert.ThrowsAny<OperationCanceledException>(() => new TokenizerTrainer(_options).Train(Endless(), stop.Token));
    }

    [Theory]
    [InlineData('あ', 'ア', true)]
    [InlineData('漢', 'ー', true)]
    [InlineData('あ', 'a', false)]
    [InlineData('。', '1', true)]
    [InlineData('ａ', 'a', true)]
    public void Scripts_are_unicodes_with_kana_counted_as_han(char one, char other, bool same) =>
        Assert.Equal(same, UnicodeScripts.Of(new(one)) == UnicodeScripts.Of(new(other)));
}
