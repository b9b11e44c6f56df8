namespace Streaming.Model.Fused;

public sealed class EmbeddingPlan
{
    private const int RunLength = 32;
    private readonly int[] _starts;
    private readonly int[] _order, _begin, _token, _slot, _joinBegin, _joinToken, _counts = new int[2];

    public EmbeddingPlan(int vocabulary, int positions)
    {
        _starts = new int[vocabulary + 1];
        _order = new int[positions];
        _begin = new int[MaximumRuns(positions) + 1];
        _token = new int[MaximumRuns(positions)];
        _slot = new int[MaximumRuns(positions)];
        _joinBegin = new int[MaximumJoins(positions) + 1];
        _joinToken = new int[MaximumJoins(positions)];
    }

    public static int MaximumRuns(int positions) => positions;
    public static int MaximumJoins(int positions) => positions / (RunLength + 1) + 1;
    public static int MaximumSlots(int positions) => positions / RunLength + MaximumJoins(positions);

    public ReadOnlySpan<int> Order => _order;
    public ReadOnlySpan<int> Begin => _begin.AsSpan(0, _counts[0] + 1);
    public ReadOnlySpan<int> Token => _token.AsSpan(0, _counts[0]);
    public ReadOnlySpan<int> Slot => _slot.AsSpan(0, _counts[0]);
    public ReadOnlySpan<int> JoinBegin => _joinBegin.AsSpan(0, _counts[1] + 1);
    public ReadOnlySpan<int> JoinToken => _joinToken.AsSpan(0, _counts[1]);
    public ReadOnlySpan<int> Counts => _counts;

    public void Build(ReadOnlySpan<int> tokens)
    {
        Array.Clear(_starts);
        foreach (var token in tokens) _starts[token + 1]++;
        for (var i = 1; i < _starts.Length; i++) _starts[i] += _starts[i - 1];
        int runs = 0, joins = 0, slots = 0;
        _begin[0] = 0;
        _joinBegin[0] = 0;
        for (var token = 0; token + 1 < _starts.Length; token++)
        {
            int first = _starts[token], count = _starts[token + 1] - first;
            for (var done = 0; done < count; done += RunLength)
            {
                _token[runs] = token;
                _slot[runs] = count > RunLength ? slots++ : -1;
                _begin[++runs] = first + Math.Min(done + RunLength, count);
            }
            if (count <= RunLength) continue;
            _joinToken[joins] = token;
            _joinBegin[++joins] = slots;
        }
        (_counts[0], _counts[1]) = (runs, joins);
        for (var i = 0; i < tokens.Length; i++) _order[_starts[tokens[i]]++] = i;
    }
}
