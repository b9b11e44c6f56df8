using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Generation;

public sealed class DecodingBatchSpec
{
    private static readonly MistralConfig Config = TinyModels.Config with { MaxPositions = 400 };

    [Fact]
    public void Texts_that_share_a_batch_are_those_that_each_would_be_alone()
    {
        using var decoder = Decoder(slots: 3);
        var batch = new DecodingBatch(decoder);
        Recorder[] texts = [.. Enumerable.Range(0, 8).Select(i => new Recorder(TinyModels.Tokens(Config, 1, 3 + 40 * i, seed: i), new() { MaxNewTokens = 5 + i, Sample = i % 2 == 0, Seed = i }))];
        foreach (var text in texts)
            batch.Add(text);

        batch.RunToEnd(TestContext.Current.CancellationToken);

        foreach (var text in texts)
        {
            Assert.Equal(FinishReason.Length, text.Reason);
            Assert.Equal(TokenGenerator.Generate(decoder, text.Prompt, text.Options, TestContext.Current.CancellationToken), text.Added);
        }
    }

    [Fact]
    public void A_prompt_that_begins_like_an_earlier_text_is_read_from_where_it_differs()
    {
        using var decoder = Decoder(slots: 2);
        var batch = new DecodingBatch(decoder);
        var shared = TinyModels.Tokens(Config, 1, 100, seed: 1);
        var first = Run(batch, [.. shared, 5]);
        var again = Run(batch, [.. shared, 5]);
        Assert.Equal(102, batch.PromptTokensRead); // all, then the last alone

        var other = Run(batch, [.. shared, 6, 7]);

        Assert.Equal(104, batch.PromptTokensRead);
        Assert.Equal(first.Added, again.Added);
        Assert.Equal(TokenGenerator.Generate(Fresh(), other.Prompt, other.Options, TestContext.Current.CancellationToken), other.Added);
    }

    [Fact]
    public void A_cancelled_text_leaves_its_slot_to_the_next()
    {
        using var decoder = Decoder(slots: 1);
        var batch = new DecodingBatch(decoder);
        Recorder running = new([5], new() { MaxNewTokens = 300 }), waiting = new([6], new() { MaxNewTokens = 300 }), last = new([7], new() { MaxNewTokens = 4 });
        foreach (var text in new[] { running, waiting, last })
            batch.Add(text);
        for (var i = 0; i < 3; i++)
            batch.Step();
        running.Cancel();
        waiting.Cancel();

        batch.RunToEnd(TestContext.Current.CancellationToken);

        Assert.Equal([FinishReason.Cancelled, FinishReason.Cancelled, FinishReason.Length], new[] { running, waiting, last }.Select(text => text.Reason!.Value));
        Assert.Equal(4, last.Added.Count);
        Assert.InRange(running.Added.Count, 1, 5);
    }

    [Fact]
    public void A_cancelled_text_that_waits_gives_its_place_up_while_all_slots_are_taken()
    {
        using var decoder = Decoder(slots: 1);
        var batch = new DecodingBatch(decoder);
        Recorder running = new([5], new() { MaxNewTokens = 300 }), first = new([6], new() { MaxNewTokens = 2 }), second = new([7], new() { MaxNewTokens = 2 });
        foreach (var text in new[] { running, first, second })
            batch.Add(text);
        batch.Step();
        first.Cancel();
        batch.Step();

        Assert.Equal((FinishReason.Cancelled, null, null), (first.Reason, running.Reason, second.Reason));
        Assert.Equal((1, 1), (batch.Running, batch.Waiting));
    }

    [Fact]
    public void A_consumer_that_has_enough_ends_its_text()
    {
        using var decoder = Decoder(slots: 1);
        var batch = new DecodingBatch(decoder);
        var text = new Recorder([5], new() { MaxNewTokens = 300 }) { Enough = 3 };
        batch.Add(text);

        batch.RunToEnd(TestContext.Current.CancellationToken);

        Assert.Equal(FinishReason.Stop, text.Reason);
        Assert.Equal(3, text.Added.Count);
    }

    [Fact]
    public void The_prompts_logits_are_those_of_each_of_its_positions()
    {
        using var decoder = Decoder(slots: 1);
        var batch = new DecodingBatch(decoder);
        var text = new Recorder(TinyModels.Tokens(Config, 1, 70, seed: 2), new() { MaxNewTokens = 1 }) { ListensToPrompt = true };
        batch.Add(text);

        batch.RunToEnd(TestContext.Current.CancellationToken);

        decoder.Truncate(0, 0);
        var logits = new float[70 * Config.VocabularySize];
        decoder.Forward([new(0, 70)], text.Prompt, LogitRows.All, logits);
        Assert.InRange(Closeness.RelativeError([.. text.PromptLogits], logits), 0, 1e-5);
        Assert.Equal(Probabilities.ArgMax(logits.AsSpan(69 * Config.VocabularySize)), text.Added[0]);
    }

    [Fact]
    public void A_step_of_running_texts_allocates_nothing()
    {
        using var decoder = Decoder(slots: 2);
        var batch = new DecodingBatch(decoder);
        batch.Add(new Recorder([5], new() { MaxNewTokens = 300, NoRepeatNgramSize = 2, RepetitionPenalty = 1.1, Sample = true, TopK = 50, TopP = 0.9, MinP = 0.01 }));
        batch.Add(new Recorder([6], new() { MaxNewTokens = 300 }));
        for (var i = 0; i < 100; i++)
            batch.Step();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 20; i++)
            batch.Step();

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static Recorder Run(DecodingBatch batch, int[] prompt)
    {
        var text = new Recorder(prompt, new() { MaxNewTokens = 6 });
        batch.Add(text);
        batch.RunToEnd(TestContext.Current.CancellationToken);
        return text;
    }

    private static HostDecoder Fresh() => Decoder(slots: 1);

    private static HostDecoder Decoder(int slots) => HostDecoder.Copy(Config, new RandomWeights(Config with { InitializerRange = 0.2 }, 1), slots, 400, threads: 1);

    private sealed class Recorder(int[] prompt, GenerationOptions options) : TextRequest(prompt, options)
    {
        public List<int> Added { get; } = new(512);
        public List<float> PromptLogits { get; } = [];
        public FinishReason? Reason { get; private set; }
        public int Enough { get; init; } = int.MaxValue;
        public bool ListensToPrompt { get; init; }
        public override bool WantsPromptLogits => ListensToPrompt;

        public override void OnPromptLogits(int position, ReadOnlySpan<float> logits) => PromptLogits.AddRange(logits);

        public override bool OnToken(int token)
        {
            Added.Add(token);
            return Added.Count < Enough;
        }

        public override void OnFinished(FinishReason reason) => Reason = reason;
    }
}
