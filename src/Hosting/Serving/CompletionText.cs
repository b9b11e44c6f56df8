using System.Threading.Channels;
using Streaming.Hosting.Generation;
using Streaming.Model.Generation;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Serving;

/// <summary>A token with its log probability and those of the most probable ones in its place.</summary>
/// <param name="LogProbability">null for the first token of a prompt, which nothing predicts.</param>
internal sealed record TokenDetail(int Token, float? LogProbability, IReadOnlyList<(int Token, float LogProbability)> Top);

/// <summary>What happened to one of a request's texts.</summary>
/// <param name="Choice">Which one.</param>
/// <param name="Text">Text that was added.</param>
/// <param name="Tokens">Tokens that were added, where log probabilities were asked for.</param>
/// <param name="Finish">Why the text ended; null while it goes on.</param>
internal readonly record struct CompletionEvent(int Choice, string Text, IReadOnlyList<TokenDetail> Tokens, FinishReason? Finish, int TokensAdded);

/// <summary>One text of an API request, whose events go to the request's channel.</summary>
internal sealed class CompletionText : TextContinuation
{
    private readonly int _choice;
    private readonly CompletionParameters _parameters;
    private readonly ChannelWriter<CompletionEvent> _events;
    private readonly List<TokenDetail> _details = [];
    private readonly float[] _logits;
    private readonly TextTokenizer _tokenizer;

    public CompletionText(int choice, int[] prompt, string promptText, GenerationOptions options, CompletionParameters parameters, ModelFolder model, ChannelWriter<CompletionEvent> events)
        : base(prompt, options, model.Tokenizer, parameters.Stops)
    {
        (_choice, _parameters, _events, _tokenizer) = (choice, parameters, events, model.Tokenizer);
        _logits = parameters.LogProbabilities is null ? [] : new float[model.Config.VocabularySize];
        if (!parameters.Echo)
            return;
        if (parameters.LogProbabilities is not null)
            _details.Add(new TokenDetail(prompt[0], null, []));
        Send(promptText, null);
    }

    public override bool WantsPromptLogits => _parameters is { Echo: true, LogProbabilities: not null };

    public override bool WantsLogits => _parameters is { LogProbabilities: not null, MaxTokens: > 0 };

    public override void OnPromptLogits(int position, ReadOnlySpan<float> logits)
    {
        if (position + 1 < Prompt.Length)
            _details.Add(Detail(Prompt[position + 1], logits));
    }

    public override void OnLogits(ReadOnlySpan<float> logits) => logits.CopyTo(_logits);

    public override bool OnToken(int token)
    {
        if (_parameters.MaxTokens == 0) // only the prompt was asked for
            return false;
        if (WantsLogits)
            _details.Add(Detail(token, _logits));
        var goesOn = base.OnToken(token);
        if (_details.Count > 0)
            Send("", null);
        return goesOn;
    }

    protected override void OnText(string text) => Send(text, null);

    public override void OnFinished(FinishReason reason)
    {
        base.OnFinished(reason);
        Send("", _parameters.MaxTokens == 0 && reason == FinishReason.Stop ? FinishReason.Length : reason);
    }

    private void Send(string text, FinishReason? finish)
    {
        _events.TryWrite(new CompletionEvent(_choice, text, _details.Count == 0 ? [] : _details.ToArray(), finish, TokensAdded));
        _details.Clear();
    }

    private TokenDetail Detail(int token, ReadOnlySpan<float> logits)
    {
        var total = Probabilities.LogSumExp(logits);
        var ids = new int[_parameters.LogProbabilities!.Value];
        var values = new float[ids.Length];
        var count = ids.Length == 0 ? 0 : Probabilities.Highest(logits, ids, values);
        return new TokenDetail(token, logits[token] - total, [.. Enumerable.Range(0, count).Select(i => (ids[i], values[i] - total))]);
    }

    /// <summary>How a token is written in log probabilities: its text; a byte's piece as it is named, so that no two look alike.</summary>
    public static string Name(TextTokenizer tokenizer, int token) =>
        token < tokenizer.VocabularySize ? tokenizer.IdToText(token) : $"<{token}>";
}
