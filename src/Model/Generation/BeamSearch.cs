using Streaming.Model.Generation.Host;
using Streaming.Model.Parameters;

namespace Streaming.Model.Generation;

// Shapes: V vocabulary.

/// <summary>
/// Beam search and beam sampling over one prompt, with the meaning of Transformers 5's <c>generate</c>: twice as many
/// continuations as beams are looked at, finished texts are kept by their length-penalised log probability, and processors
/// and warpers act on log probabilities. Takes the decoder's first slots, one a beam.
/// </summary>
public sealed unsafe class BeamSearch
{
    private const float Impossible = -1e9f; // Transformers' stand-in for a score that none is worse than

    private readonly IDecoder _decoder;
    private readonly GenerationOptions _options;
    private readonly Func<ReadOnlySpan<int>, bool>? _isStopped;
    private readonly GaussianGenerator _random;
    private readonly int _width; // continuations looked at in each step
    private readonly Beam[] _finished;
    private readonly List<Continuation> _continuations = [];
    private readonly Ranker?[] _rankers; // one a running text
    private readonly GangWork _rank;
    private readonly float[] _logits;
    private readonly ILogitsInPlace? _inPlace;
    private float* _scores;
    private int _stride;
    private Beam[] _running;
    private int _promptLength;

    /// <param name="decoder">Has at least as many slots as there are beams; what they hold is forgotten.</param>
    /// <param name="options">Validated.</param>
    /// <param name="isStopped">Whether an added text ends here, by a stop string say; null where only end tokens count.</param>
    public BeamSearch(IDecoder decoder, GenerationOptions options, Func<ReadOnlySpan<int>, bool>? isStopped = null)
    {
        if (options.Beams > decoder.Slots)
            throw new ArgumentException($"{options.Beams} beams need as many slots, the decoder has {decoder.Slots}", nameof(options));
        (_decoder, _options, _isStopped) = (decoder, options, isStopped);
        var vocabulary = decoder.Model.VocabularySize;
        _random = new GaussianGenerator((ulong)options.Seed);
        _width = Math.Max(2, 1 + options.EndTokens.Count) * options.Beams;
        _finished = [.. Enumerable.Repeat(new Beam([], -1, Impossible, IsFinished: false), options.Beams)];
        (_rankers, _rank) = (new Ranker?[options.Beams], Rank);
        _inPlace = decoder as ILogitsInPlace;
        _logits = _inPlace is null ? new float[options.Beams * vocabulary] : [];
        _running = [];
    }

    /// <summary>Continues a prompt.</summary>
    /// <param name="prompt">Token ids that leave room in the decoder's context.</param>
    /// <param name="cancellation">Ends the search early.</param>
    /// <returns>The added tokens of the best text, its end token included.</returns>
    public int[] Run(ReadOnlySpan<int> prompt, CancellationToken cancellation = default)
    {
        _promptLength = prompt.Length;
        var most = Math.Min(_options.MaxNewTokens, _decoder.ContextLength - prompt.Length);
        _running = [new Beam(prompt.ToArray(), 0, 0, IsFinished: false)];
        FindContinuations(ReadPrompt(prompt, out var stride), stride);
        var mayImprove = true;
        for (var added = 0; ; added++)
        {
            cancellation.ThrowIfCancellationRequested();
            Extend(added + 1 == most);
            Finish(added + 1, mayImprove);
            var ended = _continuations.TrueForAll(continuation => continuation.Ends);
            KeepRunning();
            mayImprove &= MayImprove(added + 1, most);
            var isFull = _options.EarlyStopping == EarlyStopping.WhenFull && Array.TrueForAll(_finished, beam => beam.IsFinished);
            if (ended || isFull || !mayImprove || _running.Length == 0)
                break;
            FindContinuations(Step(out stride), stride);
        }
        var best = _finished[0].IsFinished || _running.Length == 0 ? _finished[0] : _running[0];
        return best.Text.Length == 0 ? [] : best.Text[_promptLength..];
    }

    private Span<float> ReadPrompt(scoped ReadOnlySpan<int> prompt, out int stride)
    {
        for (var slot = 0; slot < _options.Beams; slot++)
            _decoder.Truncate(slot, 0);
        while (prompt.Length > _decoder.MaxTokensInPass)
        {
            _decoder.Forward([new(0, _decoder.MaxTokensInPass)], prompt[.._decoder.MaxTokensInPass], LogitRows.None, []);
            prompt = prompt[_decoder.MaxTokensInPass..];
        }
        return Forward([new(0, prompt.Length)], prompt, out stride);
    }

    /// <summary>One pass over the last tokens of the running texts.</summary>
    private Span<float> Step(out int stride)
    {
        Span<DecoderPart> parts = stackalloc DecoderPart[_running.Length];
        Span<int> tokens = stackalloc int[_running.Length];
        for (var i = 0; i < _running.Length; i++)
            (parts[i], tokens[i]) = (new DecoderPart(_running[i].Slot, 1), _running[i].Text[^1]);
        return Forward(parts, tokens, out stride);
    }

    /// <summary>A pass; the logits of the parts' last tokens, which may be written to.</summary>
    private Span<float> Forward(scoped ReadOnlySpan<DecoderPart> parts, scoped ReadOnlySpan<int> tokens, out int stride)
    {
        if (_inPlace is not null)
            return _inPlace.ForwardInPlace(parts, tokens, out stride);
        stride = _decoder.Model.VocabularySize;
        _decoder.Forward(parts, tokens, LogitRows.Last, _logits);
        return _logits;
    }

    /// <summary>The continuations of all running texts that are looked at: the most probable, or drawn ones in the order of the draw.</summary>
    private void FindContinuations(Span<float> logits, int stride)
    {
        _continuations.Clear();
        fixed (float* first = logits)
        {
            _scores = first;
            _stride = stride;
            // Log probabilities take about twice as long as the search among them.
            RankingThreads.Run(_running.Length, 3 * _decoder.Model.VocabularySize, _rank);
            _scores = null;
        }
        for (var i = 0; i < _running.Length; i++)
        {
            var ranked = _rankers[i]!;
            for (var j = 0; j < ranked.Count; j++)
            {
                var score = _running[i].Score + ranked.Scores[j];
                // Drawing without replacement by the Gumbel trick: the highest perturbed log probabilities.
                var gumbel = Draws ? -Math.Log(Math.Max(-Math.Log(1 - _random.NextUniform()), double.Epsilon)) : 0;
                _continuations.Add(new(i, ranked.Ids[j], score, score + gumbel));
            }
        }
        _continuations.Sort((one, other) => other.Rank.CompareTo(one.Rank));
        if (_continuations.Count > _width)
            _continuations.RemoveRange(_width, _continuations.Count - _width);
    }

    private bool Draws => _options.Sample && _options.Temperature > 0;

    private void Rank(int worker, int begin, int end)
    {
        var vocabulary = _decoder.Model.VocabularySize;
        for (var i = begin; i < end; i++)
        {
            var ranker = _rankers[i] ??= new Ranker(vocabulary, _width);
            ranker.Rank(new Span<float>(_scores + (long)i * _stride, vocabulary), _running[i].Text, _promptLength, _options, Draws);
        }
    }

    /// <summary>Writes the continuations' texts, and tells which of them end.</summary>
    private void Extend(bool isLast)
    {
        for (var i = 0; i < _continuations.Count; i++)
        {
            var continuation = _continuations[i];
            int[] text = [.. _running[continuation.Parent].Text, continuation.Token];
            var ends = isLast || _options.EndTokens.Contains(continuation.Token) || _isStopped?.Invoke(text.AsSpan(_promptLength)) == true;
            _continuations[i] = continuation with { Text = text, Ends = ends };
        }
    }

    /// <summary>Takes finished texts in, those among the first as many as there are beams, where they beat what is there.</summary>
    private void Finish(int added, bool mayImprove)
    {
        var isFull = _options.EarlyStopping == EarlyStopping.WhenFull && Array.TrueForAll(_finished, beam => beam.IsFinished);
        if (isFull || !mayImprove)
            return;
        var merged = new List<Beam>(_finished);
        foreach (var continuation in _continuations.Take(_options.Beams).Where(continuation => continuation.Ends))
            merged.Add(new Beam(continuation.Text, -1, continuation.Score / MathF.Pow(added, (float)_options.LengthPenalty), IsFinished: true));
        merged.OrderByDescending(beam => beam.Score).Take(_finished.Length).ToArray().CopyTo(_finished, 0);
    }

    /// <summary>
    /// The best continuations that do not end run on. The first child of a text stays in its slot; further ones take over
    /// slots of texts without children, so that no copy overwrites what another still needs.
    /// </summary>
    private void KeepRunning()
    {
        var children = _continuations.Where(continuation => !continuation.Ends)
            .OrderByDescending(continuation => continuation.Score).Take(_options.Beams).ToArray();
        var parents = _running;
        Span<bool> taken = stackalloc bool[_options.Beams];
        var next = new Beam[children.Length];
        for (var i = 0; i < children.Length; i++)
        {
            var slot = parents[children[i].Parent].Slot;
            next[i] = new Beam(children[i].Text, taken[slot] ? -1 : slot, children[i].Score, IsFinished: false);
            taken[slot] = true;
        }
        Span<SlotCopy> copies = stackalloc SlotCopy[_options.Beams];
        var count = 0;
        for (var i = 0; i < next.Length; i++)
        {
            if (next[i].Slot >= 0)
                continue;
            var free = taken.IndexOf(false);
            taken[free] = true;
            copies[count++] = new SlotCopy(parents[children[i].Parent].Slot, free);
            next[i] = next[i] with { Slot = free };
        }
        _decoder.Copy(copies[..count]);
        _running = next;
    }

    /// <summary>Whether the best running text could still beat the worst finished one.</summary>
    private bool MayImprove(int added, int most)
    {
        if (_running.Length == 0)
            return false;
        var length = _options.EarlyStopping == EarlyStopping.Never && _options.LengthPenalty > 0 ? most : added;
        var possible = _running[0].Score / MathF.Pow(length, (float)_options.LengthPenalty);
        var lowest = _finished[^1].Score;
        foreach (var beam in _finished)
        {
            if (possible > (beam.IsFinished ? lowest : Impossible))
                return true;
        }
        return false;
    }

    /// <summary>What may follow one text: all that may be drawn, or the most probable. Scratch memory and result of one thread at a time.</summary>
    private sealed class Ranker(int vocabulary, int width)
    {
        private readonly LogitRules _rules = new(vocabulary);
        private readonly Candidates _candidates = new(vocabulary);
        private readonly int[] _ids = new int[width];
        private readonly float[] _values = new float[width];
        private bool _draws;
        private int _found;

        public int Count => _draws ? _candidates.Count : _found;
        public ReadOnlySpan<int> Ids => _draws ? _candidates.Ids : _ids;
        public ReadOnlySpan<float> Scores => _draws ? _candidates.Scores : _values;

        /// <param name="scores">Logits (V), overwritten.</param>
        public void Rank(Span<float> scores, ReadOnlySpan<int> text, int promptLength, GenerationOptions options, bool draws)
        {
            Probabilities.LogSoftmax(scores);
            _rules.Apply(scores, text, promptLength, options);
            _draws = draws;
            if (draws) _candidates.Select(scores, options);
            else _found = Probabilities.Highest(scores, _ids, _values);
        }
    }

    /// <param name="Text">The prompt and what was added.</param>
    /// <param name="Slot">Where a running text is remembered.</param>
    /// <param name="Score">Log probability of what was added; length-penalised once finished.</param>
    private readonly record struct Beam(int[] Text, int Slot, float Score, bool IsFinished);

    /// <param name="Parent">Index of the running text that goes on.</param>
    /// <param name="Score">Log probability of all that was added.</param>
    /// <param name="Rank">What the continuations are ordered by.</param>
    private readonly record struct Continuation(int Parent, int Token, float Score, double Rank)
    {
        public int[] Text { get; init; } = [];
        public bool Ends { get; init; }
    }
}
