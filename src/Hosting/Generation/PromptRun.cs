using System.Diagnostics;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Generation;

/// <summary>One prompt of a command with what became of it.</summary>
internal sealed record GeneratedText(string Prompt, string Text, int PromptTokens, IReadOnlyList<int> Tokens, FinishReason Reason);

/// <summary>Continues a list of prompts with one decoder: all at once in a batch, or one after the other with beams.</summary>
internal sealed class PromptRun(ModelFolder model, IDecoder decoder, GenerationOptions options, IReadOnlyList<string> stops)
{
    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>From the run's begin to its first token; null before that.</summary>
    public TimeSpan? FirstToken { get; private set; }

    /// <summary>Runs to the end.</summary>
    /// <param name="prompts">Texts with their ids.</param>
    /// <param name="onText">Index of the prompt and the text that is added, as it comes.</param>
    /// <param name="onEnd">Index of a prompt whose text is whole.</param>
    public void Run(IReadOnlyList<(string Text, int[] Ids)> prompts, Action<int, string> onText, Action<int, GeneratedText> onEnd, CancellationToken cancellation)
    {
        if (options.Beams > 1)
        {
            for (var i = 0; i < prompts.Count; i++)
                SearchBeams(i, prompts[i], onText, onEnd, cancellation);
            return;
        }
        var batch = new DecodingBatch(decoder);
        for (var i = 0; i < prompts.Count; i++)
        {
            // Each text draws numbers of its own, so that it does not depend on the others.
            batch.Add(new Line(this, i, prompts[i], options with { Seed = options.Seed + i }, onText, onEnd));
        }
        batch.RunToEnd(cancellation);
    }

    private void SearchBeams(int index, (string Text, int[] Ids) prompt, Action<int, string> onText, Action<int, GeneratedText> onEnd, CancellationToken cancellation)
    {
        bool IsStopped(ReadOnlySpan<int> added)
        {
            TextContinuation.Text(model.Tokenizer, prompt.Ids, added, stops, out var isStopped);
            return isStopped;
        }
        var search = new BeamSearch(decoder, options with { Seed = options.Seed + index }, stops.Count > 0 ? IsStopped : null);
        var added = search.Run(prompt.Ids, cancellation);
        FirstToken ??= Stopwatch.GetElapsedTime(_began);
        var text = TextContinuation.Text(model.Tokenizer, prompt.Ids, added, stops, out var stopped);
        onText(index, text);
        var ended = stopped || (added.Length > 0 && options.EndTokens.Contains(added[^1]));
        onEnd(index, new GeneratedText(prompt.Text, text, prompt.Ids.Length, added, ended ? FinishReason.Stop : FinishReason.Length));
    }

    private sealed class Line(
        PromptRun run, int index, (string Text, int[] Ids) prompt, GenerationOptions options, Action<int, string> onText, Action<int, GeneratedText> onEnd)
        : TextContinuation(prompt.Ids, options, run.Tokenizer, run.Stops)
    {
        private readonly System.Text.StringBuilder _text = new();
        private readonly List<int> _tokens = [];

        protected override void OnText(string text)
        {
            _text.Append(text);
            onText(index, text);
        }

        public override bool OnToken(int token)
        {
            run.FirstToken ??= Stopwatch.GetElapsedTime(run._began);
            _tokens.Add(token);
            return base.OnToken(token);
        }

        public override void OnFinished(FinishReason reason)
        {
            base.OnFinished(reason);
            onEnd(index, new GeneratedText(prompt.Text, _text.ToString(), Prompt.Length, _tokens, reason));
        }
    }

    private Streaming.Streams.Tokenization.TextTokenizer Tokenizer => model.Tokenizer;

    private IReadOnlyList<string> Stops => stops;
}
