namespace Streaming.Model.Generation;

// Shapes: V vocabulary.

/// <summary>
/// Continuous batching: texts join and leave between steps, and each step gives every running text one token. A text that
/// joins reads its prompt in passes of its own, from where a slot's earlier text began alike. Used by one thread, which takes
/// others to help where many texts are drawn; otherwise a step allocates nothing in the steady state.
/// </summary>
public sealed class DecodingBatch
{
    // Of prompts that are read in a row before texts that run go on; the last of them may be longer.
    private const int TokensToJoin = 128;

    private readonly IDecoder _decoder;
    private readonly ILogitsInPlace? _inPlace;
    private readonly TokenPickers _pickers;
    private readonly Queue<TextRequest> _waiting = new();
    private readonly Seat[] _seats;
    private readonly DecoderPart[] _parts;
    private readonly int[] _tokens, _order;
    private readonly float[] _logits;
    private float[] _promptLogits = [];

    public DecodingBatch(IDecoder decoder)
    {
        (_decoder, _inPlace) = (decoder, decoder as ILogitsInPlace);
        _pickers = new TokenPickers(decoder.Model.VocabularySize, decoder.Slots);
        _seats = [.. Enumerable.Range(0, decoder.Slots).Select(slot => new Seat(slot, decoder.ContextLength))];
        _parts = new DecoderPart[decoder.Slots];
        (_tokens, _order) = (new int[decoder.Slots], new int[decoder.Slots]);
        _logits = new float[(_inPlace is null ? decoder.Slots : 1) * decoder.Model.VocabularySize];
        for (var slot = 0; slot < decoder.Slots; slot++)
            decoder.Truncate(slot, 0);
    }

    /// <summary>Texts that go on with the next step.</summary>
    public int Running { get; private set; }

    /// <summary>Texts that wait for a slot.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>Tokens chosen so far.</summary>
    public long TokensGenerated { get; private set; }

    /// <summary>Tokens of prompts read so far; what a slot already held is not read again.</summary>
    public long PromptTokensRead { get; private set; }

    /// <summary>Adds a text; it begins as soon as a slot is free.</summary>
    /// <exception cref="GenerationException">The prompt does not fit.</exception>
    public void Add(TextRequest request)
    {
        TextRequest.CheckPrompt(request.Prompt, _decoder.Model, _decoder.ContextLength);
        _waiting.Enqueue(request);
    }

    /// <summary>Runs until every text has ended.</summary>
    public void RunToEnd(CancellationToken cancellation = default)
    {
        while (Step())
            cancellation.ThrowIfCancellationRequested();
    }

    /// <summary>One step: texts join, until their prompts are long enough to keep those that run waiting, then each running text gets a token.</summary>
    /// <returns>False where no text is left.</returns>
    public bool Step()
    {
        DropCancelled();
        for (var read = PromptTokensRead; Running < _seats.Length && PromptTokensRead - read < TokensToJoin && _waiting.TryDequeue(out var next);)
            Begin(next);
        if (Running > 0)
            Advance();
        return Running + Waiting > 0;
    }

    /// <summary>Ends every text, running or waiting.</summary>
    public void CancelAll()
    {
        foreach (var seat in _seats)
            seat.Request?.Cancel();
        foreach (var request in _waiting)
            request.Cancel();
        DropCancelled();
    }

    private void DropCancelled()
    {
        foreach (var seat in _seats)
        {
            if (seat.Request is { IsCancelled: true })
                End(seat, FinishReason.Cancelled);
        }
        // Those that wait give their places up too, however long the running texts go on.
        var isGivenUp = false;
        foreach (var request in _waiting)
            isGivenUp |= request.IsCancelled;
        for (var left = isGivenUp ? _waiting.Count : 0; left > 0; left--)
        {
            var request = _waiting.Dequeue();
            if (request.IsCancelled)
                request.OnFinished(FinishReason.Cancelled);
            else
                _waiting.Enqueue(request);
        }
    }

    private void Begin(TextRequest request)
    {
        var seat = ChooseSeat(request, out var known);
        _decoder.Truncate(seat.Slot, known);
        seat.Begin(request, known);
        Running++;
        PromptTokensRead += request.Prompt.Length - known;
        var row = _logits.AsSpan(0, _decoder.Model.VocabularySize);
        if (request.WantsPromptLogits)
            ReadPromptAloud(seat, row);
        else
            ReadPrompt(seat, request.Prompt.AsSpan(known), row);
        Choose([seat.Slot], row, row.Length);
    }

    /// <summary>The free slot whose last text began most like the prompt; its last token must be read again, for its logits.</summary>
    private Seat ChooseSeat(TextRequest request, out int known)
    {
        Seat? best = null;
        known = 0;
        foreach (var seat in _seats)
        {
            if (seat.Request is not null)
                continue;
            var alike = request.WantsPromptLogits ? 0 : Math.Min(seat.Held.CommonPrefixLength(request.Prompt), request.Prompt.Length - 1);
            if (best is null || alike > known)
                (best, known) = (seat, alike);
        }
        return best!;
    }

    private void ReadPrompt(Seat seat, ReadOnlySpan<int> tokens, Span<float> row)
    {
        while (tokens.Length > _decoder.MaxTokensInPass)
        {
            _parts[0] = new DecoderPart(seat.Slot, _decoder.MaxTokensInPass);
            _decoder.Forward(_parts.AsSpan(0, 1), tokens[.._decoder.MaxTokensInPass], LogitRows.None, []);
            tokens = tokens[_decoder.MaxTokensInPass..];
        }
        _parts[0] = new DecoderPart(seat.Slot, tokens.Length);
        _decoder.Forward(_parts.AsSpan(0, 1), tokens, LogitRows.Last, row);
    }

    /// <summary>Reads a prompt with the logits of every position; the last row is kept.</summary>
    private void ReadPromptAloud(Seat seat, Span<float> row)
    {
        const int rowsAtOnce = 32; // bounds the memory of a large vocabulary's rows
        var vocabulary = _decoder.Model.VocabularySize;
        if (_promptLogits.Length == 0)
            _promptLogits = new float[rowsAtOnce * vocabulary];
        var prompt = seat.Request!.Prompt;
        for (var from = 0; from < prompt.Length; from += rowsAtOnce)
        {
            var count = Math.Min(Math.Min(rowsAtOnce, _decoder.MaxTokensInPass), prompt.Length - from);
            _parts[0] = new DecoderPart(seat.Slot, count);
            _decoder.Forward(_parts.AsSpan(0, 1), prompt.AsSpan(from, count), LogitRows.All, _promptLogits);
            for (var i = 0; i < count; i++)
                seat.Request.OnPromptLogits(from + i, _promptLogits.AsSpan(i * vocabulary, vocabulary));
            _promptLogits.AsSpan((count - 1) * vocabulary, vocabulary).CopyTo(row);
        }
    }

    private void Advance()
    {
        var count = 0;
        var greedy = true;
        foreach (var seat in _seats)
        {
            if (seat.Request is not { } request)
                continue;
            (_parts[count], _tokens[count], _order[count]) = (new DecoderPart(seat.Slot, 1), seat.Last, seat.Slot);
            greedy &= request.Options.IsPlainGreedy && !request.WantsLogits;
            count++;
        }
        var vocabulary = _decoder.Model.VocabularySize;
        if (greedy && _decoder is IGreedyDecoder device)
        {
            device.ForwardGreedy(_parts.AsSpan(0, count), _tokens.AsSpan(0, count), _tokens.AsSpan(0, count));
            for (var i = 0; i < count; i++)
                Accept(_seats[_order[i]], _tokens[i]);
            return;
        }
        if (_inPlace is not null)
        {
            var logits = _inPlace.ForwardInPlace(_parts.AsSpan(0, count), _tokens.AsSpan(0, count), out var stride);
            Choose(_order.AsSpan(0, count), logits, stride);
            return;
        }
        _decoder.Forward(_parts.AsSpan(0, count), _tokens.AsSpan(0, count), LogitRows.Last, _logits);
        Choose(_order.AsSpan(0, count), _logits, vocabulary);
    }

    /// <summary>Chooses the next token of some seats' texts.</summary>
    /// <param name="seats">Their slots.</param>
    /// <param name="logits">A row for each; overwritten.</param>
    /// <param name="stride">Numbers from one row to the next.</param>
    private void Choose(ReadOnlySpan<int> seats, Span<float> logits, int stride)
    {
        var vocabulary = _decoder.Model.VocabularySize;
        for (var i = 0; i < seats.Length; i++)
        {
            var request = _seats[seats[i]].Request!;
            var row = logits.Slice(i * stride, vocabulary);
            if (request.WantsLogits)
                request.OnLogits(row);
            _pickers.Add(_seats[seats[i]]);
        }
        var chosen = _pickers.Pick(logits, stride);
        for (var i = 0; i < seats.Length; i++)
            Accept(_seats[seats[i]], chosen[i]);
    }

    private void Accept(Seat seat, int token)
    {
        var request = seat.Request!;
        seat.Append(token);
        TokensGenerated++;
        var goesOn = request.OnToken(token);
        if (!goesOn || request.Options.EndTokens.Contains(token))
            End(seat, FinishReason.Stop);
        else if (seat.Added == request.Options.MaxNewTokens || seat.IsFull)
            End(seat, FinishReason.Length);
    }

    private void End(Seat seat, FinishReason reason)
    {
        var request = seat.Request!;
        seat.Request = null;
        Running--;
        request.OnFinished(reason);
    }

    /// <summary>A slot with the text in it: all of its tokens but the last are in the decoder.</summary>
    private sealed class Seat(int slot, int contextLength) : ITextBeingWritten
    {
        private readonly int[] _text = new int[contextLength];
        private int _length, _held;

        public int Slot => slot;
        public TextRequest? Request { get; set; }
        public ReadOnlySpan<int> Text => _text.AsSpan(0, _length);

        /// <summary>What the decoder holds, also after the text has ended.</summary>
        public ReadOnlySpan<int> Held => _text.AsSpan(0, _held);

        public int Last => _text[_length - 1];
        public int Added => _length - Request!.Prompt.Length;
        public bool IsFull => _length == contextLength;
        TextRequest ITextBeingWritten.Request => Request!;

        public void Begin(TextRequest request, int known)
        {
            Request = request;
            request.Prompt.CopyTo(_text, 0);
            _length = request.Prompt.Length;
            _held = known;
        }

        public void Append(int token)
        {
            _held = _length;
            _text[_length++] = token;
        }
    }
}
