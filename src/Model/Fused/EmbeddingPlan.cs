namespace Streaming.Model.Fused;

/// <summary>
/// The order in which the embedding's gradient is summed: positions sorted by token, each token's positions in runs of at
/// most <see cref="RunLength"/>. What the kernels <c>embedding_backward</c> and <c>embedding_backward_join</c> read.
/// </summary>
/// <remarks>
/// The same tokens give the same plan. <see cref="Build"/> replaces the plan and allocates nothing; spans taken before show
/// the new one. Sizes are bounded by the positions alone, so that the plan fits device buffers of fixed size. Not thread-safe.
/// </remarks>
public sealed class EmbeddingPlan
{
    /// <summary>Positions that one run sums at most.</summary>
    public const int RunLength = 32;

    private readonly int[] _next; // by token, all zero between builds: first its count, then where its next position goes
    private readonly int[] _present; // tokens with a position, ascending; one place more than can be filled
    private readonly int[] _order, _begin, _token, _slot, _joinBegin, _joinToken;
    private readonly int[] _counts = new int[2];
    private readonly int _padding;
    private int _positions;

    /// <summary>A plan for up to <paramref name="positions"/> tokens, each from 0 to <paramref name="vocabulary"/> - 1; empty until built.</summary>
    /// <param name="padding">A token whose row receives no gradient, as PyTorch's <c>padding_idx</c>: its positions are left out.</param>
    public EmbeddingPlan(int vocabulary, int positions, int? padding = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabulary);
        ArgumentOutOfRangeException.ThrowIfNegative(positions);
        _padding = padding ?? -1;
        _next = new int[vocabulary];
        _present = new int[Math.Min(vocabulary, positions) + 1];
        _order = new int[positions];
        _begin = new int[MaximalRuns(positions) + 1];
        _token = new int[MaximalRuns(positions)];
        _slot = new int[MaximalRuns(positions)];
        _joinBegin = new int[MaximalJoins(positions) + 1];
        _joinToken = new int[MaximalJoins(positions)];
    }

    /// <summary>Positions by token, then ascending; as many as tokens that are not padding.</summary>
    public ReadOnlySpan<int> Order => _order.AsSpan(0, _positions);

    /// <summary>Run i sums <see cref="Order"/> from <c>Begin[i]</c> to before <c>Begin[i + 1]</c>; one more than runs.</summary>
    public ReadOnlySpan<int> Begin => _begin.AsSpan(0, Runs + 1);

    /// <summary>Token of each run, ascending.</summary>
    public ReadOnlySpan<int> Token => _token.AsSpan(0, Runs);

    /// <summary>Row of the partial sums that each run writes, or -1 where it is its token's only run and adds into the gradient.</summary>
    public ReadOnlySpan<int> Slot => _slot.AsSpan(0, Runs);

    /// <summary>Join j adds partial sums from <c>JoinBegin[j]</c> to before <c>JoinBegin[j + 1]</c>; one more than joins.</summary>
    public ReadOnlySpan<int> JoinBegin => _joinBegin.AsSpan(0, Joins + 1);

    /// <summary>Token of each join, ascending.</summary>
    public ReadOnlySpan<int> JoinToken => _joinToken.AsSpan(0, Joins);

    /// <summary>Runs, joins: the kernels' <c>counts</c>.</summary>
    public ReadOnlySpan<int> Counts => _counts;

    public int Runs => _counts[0];
    public int Joins => _counts[1];

    /// <summary>Rows of partial sums in use.</summary>
    public int Slots => _joinBegin[Joins];

    /// <summary>The most runs that so many positions can have: all tokens differ.</summary>
    public static int MaximalRuns(int positions) => positions;

    /// <summary>The most tokens with more than one run: each takes a position more than a run holds.</summary>
    public static int MaximalJoins(int positions) => positions / (RunLength + 1);

    /// <summary>The most rows of partial sums: s runs of one token need 32 (s - 1) + 1 positions, so many tokens with two runs have the most.</summary>
    public static int MaximalSlots(int positions) =>
        MaximalJoins(positions) == 0 ? 0 : (int)((positions + (RunLength - 1L) * MaximalJoins(positions)) / RunLength);

    /// <summary>Plans for <paramref name="tokens"/>: a counting sort, in time proportional to tokens and vocabulary.</summary>
    /// <exception cref="ArgumentException">There are more tokens than positions, or one is outside the vocabulary; the plan is empty then.</exception>
    public void Build(ReadOnlySpan<int> tokens)
    {
        _counts[0] = _counts[1] = _positions = 0;
        _begin[0] = _joinBegin[0] = 0;
        if (tokens.Length > _order.Length)
            throw new ArgumentException($"the embedding plan holds {_order.Length} positions and was given {tokens.Length}", nameof(tokens));
        var next = _next;
        for (var i = 0; i < tokens.Length; i++)
        {
            if ((uint)tokens[i] >= (uint)next.Length) Refuse(tokens, i);
            next[tokens[i]]++;
        }
        _positions = tokens.Length;
        if (_padding >= 0)
        {
            _positions -= next[_padding];
            next[_padding] = 0;
        }
        CutIntoRuns();
        for (var i = 0; i < tokens.Length; i++)
            if (tokens[i] != _padding) _order[next[tokens[i]]++] = i;
        Array.Clear(next);
    }

    /// <summary>Turns each token's count into the place of its first position, and lists its runs.</summary>
    private void CutIntoRuns()
    {
        int position = 0, run = 0, join = 0, slot = 0;
        foreach (var token in ListPresent())
        {
            var count = _next[token];
            _next[token] = position;
            var joined = count > RunLength;
            if (joined)
            {
                _joinToken[join] = token;
                _joinBegin[join++] = slot;
            }
            for (var end = position + count; position < end; position = Math.Min(position + RunLength, end))
            {
                _begin[run] = position;
                _token[run] = token;
                _slot[run++] = joined ? slot++ : -1;
            }
        }
        _begin[run] = position;
        _joinBegin[join] = slot;
        _counts[0] = run;
        _counts[1] = join;
    }

    /// <summary>Without a branch on a token's presence, which no processor predicts.</summary>
    private ReadOnlySpan<int> ListPresent()
    {
        int[] next = _next, present = _present;
        var found = 0;
        for (var token = 0; token < next.Length; token++)
        {
            present[found] = token;
            found += (int)((uint)-next[token] >> 31); // 1 where the count is positive
        }
        return present.AsSpan(0, found);
    }

    private void Refuse(ReadOnlySpan<int> tokens, int position)
    {
        var vocabulary = _next.Length;
        Array.Clear(_next);
        throw new ArgumentException($"token {tokens[position]} at position {position} is outside the vocabulary of {vocabulary}", nameof(tokens));
    }
}
