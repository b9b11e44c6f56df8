using Streaming.Model.Generation.Host;

namespace Streaming.Model.Generation;

/// <summary>A text that goes on with its next token.</summary>
internal interface ITextBeingWritten
{
    TextRequest Request { get; }

    /// <summary>The prompt and what was added.</summary>
    ReadOnlySpan<int> Text { get; }
}

/// <summary>
/// Chooses the next tokens of several texts, on several threads where there is much to rank. What is chosen does not depend
/// on their number: each text draws its own numbers. Used by one thread at a time.
/// </summary>
internal sealed unsafe class TokenPickers
{
    private readonly int _vocabulary;
    private readonly TokenPicker?[] _pickers = new TokenPicker?[RankingThreads.Most];
    private readonly ITextBeingWritten[] _texts;
    private readonly int[] _chosen;
    private readonly GangWork _work;
    private float* _logits;
    private int _stride, _count;

    /// <param name="vocabulary">Scores of a text.</param>
    /// <param name="texts">Texts at once, at most.</param>
    public TokenPickers(int vocabulary, int texts)
    {
        _vocabulary = vocabulary;
        (_texts, _chosen) = (new ITextBeingWritten[texts], new int[texts]);
        _work = Work;
    }

    /// <summary>Adds a text to those whose tokens are chosen next.</summary>
    public void Add(ITextBeingWritten text) => _texts[_count++] = text;

    /// <summary>Chooses a token for each text that was added, and forgets them.</summary>
    /// <param name="logits">A row (vocabulary) for each text in order; overwritten.</param>
    /// <param name="stride">Numbers from the beginning of a row to that of the next.</param>
    /// <returns>The tokens, valid until the next call.</returns>
    public ReadOnlySpan<int> Pick(Span<float> logits, int stride)
    {
        var count = _count;
        _count = 0;
        fixed (float* first = logits)
        {
            _logits = first;
            _stride = stride;
            RankingThreads.Run(count, _vocabulary, _work);
            _logits = null;
        }
        return _chosen.AsSpan(0, count);
    }

    private void Work(int worker, int begin, int end)
    {
        var picker = _pickers[worker] ??= new TokenPicker(_vocabulary);
        for (var i = begin; i < end; i++)
        {
            var request = _texts[i].Request;
            var row = new Span<float>(_logits + (long)i * _stride, _vocabulary);
            _chosen[i] = picker.Pick(row, _texts[i].Text, request.Prompt.Length, request.Options, request.Random);
        }
    }
}
