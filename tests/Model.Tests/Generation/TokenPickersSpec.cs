using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Generation;

public sealed class TokenPickersSpec
{
    private const int Vocabulary = 60_000, Stride = 60_032;

    [Fact]
    public void Many_texts_are_drawn_as_each_alone()
    {
        // So much that several threads rank.
        var texts = Enumerable.Range(0, 12).Select(index => new Written(index)).ToArray();
        var logits = new float[texts.Length * Stride];
        var random = new Random(2);
        foreach (ref var logit in logits.AsSpan())
            logit = (float)(random.NextDouble() * 12);
        int[] alone = [.. texts.Select((text, index) => new TokenPicker(Vocabulary).Pick(
            logits.AsSpan(index * Stride, Vocabulary).ToArray(), text.Text, 1, text.Request.Options, new GaussianGenerator((ulong)text.Request.Options.Seed)))];

        var pickers = new TokenPickers(Vocabulary, texts.Length);
        foreach (var text in texts)
            pickers.Add(text);
        Assert.Equal(alone, pickers.Pick(logits, Stride).ToArray());
        Assert.True(alone.Distinct().Count() > 6);
        Assert.True(pickers.Pick(logits, Stride).IsEmpty);
    }

    [Fact]
    public void A_decoder_that_keeps_its_logits_generates_as_one_that_hands_them_over()
    {
        var config = TinyModels.Config;
        foreach (var options in new GenerationOptions[]
        {
            new() { MaxNewTokens = 12, RepetitionPenalty = 1.2 },
            new() { MaxNewTokens = 12, Sample = true, Seed = 3, TopP = 0.9 },
            new() { MaxNewTokens = 12, Beams = 3, NoRepeatNgramSize = 2 },
            new() { MaxNewTokens = 12, Beams = 3, Sample = true, TopK = 20, Seed = 4 },
        })
        {
            using var plain = HostDecoder.Copy(config, new RandomWeights(config with { InitializerRange = 0.2 }, 1), 3, 64, threads: 1);
            using var inPlace = new InPlace(HostDecoder.Copy(config, new RandomWeights(config with { InitializerRange = 0.2 }, 1), 3, 64, threads: 1));
            Assert.Equal(TokenGenerator.Generate(plain, [5, 6], options, TestContext.Current.CancellationToken), TokenGenerator.Generate(inPlace, [5, 6], options, TestContext.Current.CancellationToken));
            Assert.True(inPlace.Passes > 0);
        }
    }

    private sealed class Written(int index) : ITextBeingWritten
    {
        public TextRequest Request { get; } = new Silent([index], index % 3 == 0
            ? new() { Sample = true, TopK = 50, Seed = index }
            : new() { Sample = index % 3 == 1, TopP = 0.8, Seed = index });

        public ReadOnlySpan<int> Text => Request.Prompt;
    }

    private sealed class Silent(int[] prompt, GenerationOptions options) : TextRequest(prompt, options)
    {
        public override bool OnToken(int token) => true;
    }

    /// <summary>A decoder whose rows lie apart in memory of its own.</summary>
    private sealed class InPlace(IDecoder decoder) : ILogitsInPlace
    {
        private const int Padding = 24;

        private readonly float[] _rows = new float[decoder.Slots * (decoder.Model.VocabularySize + Padding)];

        public int Passes { get; private set; }
        public MistralConfig Model => decoder.Model;
        public int Slots => decoder.Slots;
        public int ContextLength => decoder.ContextLength;
        public int MaxTokensInPass => decoder.MaxTokensInPass;
        public int Length(int slot) => decoder.Length(slot);
        public void Truncate(int slot, int length) => decoder.Truncate(slot, length);
        public void Copy(ReadOnlySpan<SlotCopy> copies) => decoder.Copy(copies);
        public void Forward(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, LogitRows rows, Span<float> logits) => decoder.Forward(parts, tokens, rows, logits);

        public Span<float> ForwardInPlace(scoped ReadOnlySpan<DecoderPart> parts, scoped ReadOnlySpan<int> tokens, out int stride)
        {
            Passes++;
            var logits = new float[parts.Length * Model.VocabularySize];
            decoder.Forward(parts, tokens, LogitRows.Last, logits);
            stride = Model.VocabularySize + Padding;
            _rows.AsSpan().Fill(1e9f); // whoever reads between the rows chooses wrongly
            for (var row = 0; row < parts.Length; row++)
                logits.AsSpan(row * Model.VocabularySize, Model.VocabularySize).CopyTo(_rows.AsSpan(row * stride));
            return _rows;
        }

        public void Dispose() => decoder.Dispose();
    }
}
