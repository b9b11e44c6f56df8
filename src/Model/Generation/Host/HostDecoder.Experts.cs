namespace Streaming.Model.Generation.Host;

// Shapes: T tokens of a pass, D model width, E experts, k experts a token.

/// <summary>Mixture of experts: each expert works once a pass, on all tokens that took it.</summary>
public sealed unsafe partial class HostDecoder
{
    private readonly List<int> _tokensOfExpert = [];

    private void RunExperts(HostLayer layer, MixtureOfExperts experts)
    {
        Products(_scratch.Normed, add: false, (layer.Router, (nint)_scratch.Router));
        for (var token = 0; token < _tokens; token++)
            Route(new Span<float>(_scratch.Router + (long)token * experts.Count, experts.Count), experts.PerToken);
        var (all, width) = (_tokens, Model.HiddenSize);
        for (var expert = 0; expert < experts.Count; expert++)
        {
            Gather(expert, experts.Count, all);
            if (_tokensOfExpert.Count == 0)
                continue;
            _tokens = _tokensOfExpert.Count;
            FeedForward(layer.Experts[expert], _scratch.Gathered, add: false, _scratch.Expert);
            for (var i = 0; i < _tokensOfExpert.Count; i++)
            {
                var x = new Span<float>(_scratch.X + (long)_tokensOfExpert[i] * width, width);
                var weight = _scratch.Router[(long)_tokensOfExpert[i] * experts.Count + expert];
                HostVectors.AddScaled(x, new ReadOnlySpan<float>(_scratch.Expert + (long)i * width, width), weight);
            }
        }
        _tokens = all;
    }

    /// <summary>A token's logits become the experts' weights: the k highest probabilities, made to sum to one; zero for the others.</summary>
    private static void Route(Span<float> row, int perToken)
    {
        Span<int> chosen = stackalloc int[perToken];
        Span<float> weights = stackalloc float[perToken];
        for (var i = 0; i < perToken; i++)
        {
            var best = -1;
            for (var expert = 0; expert < row.Length; expert++)
            {
                if (!chosen[..i].Contains(expert) && (best < 0 || row[expert] > row[best]))
                    best = expert;
            }
            (chosen[i], weights[i]) = (best, row[best]);
        }
        // The shares of the chosen among themselves are those of a softmax over them alone.
        var highest = weights[0];
        float sum = 0;
        foreach (ref var weight in weights)
            sum += weight = MathF.Exp(weight - highest);
        row.Clear();
        for (var i = 0; i < perToken; i++)
            row[chosen[i]] = weights[i] / sum;
    }

    private void Gather(int expert, int experts, int tokens)
    {
        _tokensOfExpert.Clear();
        long bytes = Model.HiddenSize * sizeof(float);
        for (var token = 0; token < tokens; token++)
        {
            if (_scratch.Router[(long)token * experts + expert] == 0)
                continue;
            Buffer.MemoryCopy(_scratch.Normed + (long)token * Model.HiddenSize, _scratch.Gathered + (long)_tokensOfExpert.Count * Model.HiddenSize, bytes, bytes);
            _tokensOfExpert.Add(token);
        }
    }
}
