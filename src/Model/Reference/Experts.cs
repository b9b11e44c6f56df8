using TorchSharp;
using TorchSharp.Modules;
using TorchSharp.Utils;
using static TorchSharp.torch;

namespace Streaming.Model.Reference;

// Shapes: B rows, T tokens, N tokens of all rows, n tokens of an expert, D model width, F feed-forward width, E experts, k experts a token.

/// <summary>One expert: a feed-forward layer with a gate, under Mixtral's names.</summary>
internal sealed class Expert : nn.Module<Tensor, Tensor>
{
    [ComponentName(Name = "w1")] private readonly Projection _gate; // (F, D)
    [ComponentName(Name = "w2")] private readonly Projection _down; // (D, F)
    [ComponentName(Name = "w3")] private readonly Projection _up; // (F, D)

    public Expert(MistralConfig config, ScalarType type, Device device) : base(nameof(Expert))
    {
        _gate = new Projection(config.IntermediateSize, config.HiddenSize, type, device);
        _down = new Projection(config.HiddenSize, config.IntermediateSize, type, device);
        _up = new Projection(config.IntermediateSize, config.HiddenSize, type, device);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x_nD)
    {
        using var temporaries = NewDisposeScope();
        var h_nF = nn.functional.silu(_gate.forward(x_nD)).mul(_up.forward(x_nD));
        return _down.forward(h_nF).MoveToOuterDisposeScope();
    }
}

/// <summary>
/// A router and its experts (Mixtral): the probabilities of all experts, in float32; of each token the k highest, made to sum to
/// one again, weigh what those experts make of it. No token is dropped, however many take the same expert.
/// </summary>
internal sealed class ExpertLayer : nn.Module
{
    private static readonly Scalar One = 1.ToScalar();

    private readonly MixtureOfExperts _shape;
    private readonly Scalar[] _numbers;
    private readonly Scalar _perToken;
    [ComponentName(Name = "gate")] private readonly Projection _router; // (E, D)
    [ComponentName(Name = "experts")] private readonly ModuleList<Expert> _experts;

    public ExpertLayer(MistralConfig config, ScalarType type, Device device) : base(nameof(ExpertLayer))
    {
        _shape = config.Experts!;
        _numbers = [.. Enumerable.Range(0, _shape.Count).Select(number => number.ToScalar())];
        _perToken = _shape.PerToken.ToScalar();
        _router = new Projection(_shape.Count, config.HiddenSize, type, device);
        _experts = new ModuleList<Expert>([.. Enumerable.Range(0, _shape.Count).Select(_ => new Expert(config, type, device))]);
        RegisterComponents();
    }

    /// <param name="x_BTD">Input.</param>
    /// <param name="routers">Receives the router's logits, (N, E), in the caller's scope; null where nobody asks.</param>
    public Tensor Forward(Tensor x_BTD, List<Tensor>? routers)
    {
        using var temporaries = NewDisposeScope();
        var x_ND = x_BTD.reshape(-1, x_BTD.shape[^1]);
        var logits_NE = _router.forward(x_ND);
        routers?.Add(logits_NE.alias().MoveToOuterDisposeScope());
        var (highest_Nk, chosen_Nk) = logits_NE.to(ScalarType.Float32).softmax(1).topk(_shape.PerToken, 1);
        var weights_Nk = highest_Nk.div(highest_Nk.sum(1, keepdim: true)).to(x_BTD.dtype).reshape(-1);
        var y_ND = zeros_like(x_ND);
        for (var i = 0; i < _shape.Count; i++)
        {
            using var ofExpert = NewDisposeScope();
            var places_n2 = chosen_Nk.eq(_numbers[i]).nonzero(); // token, and which of its k
            if (places_n2.shape[0] == 0)
                continue; // its gradient stays zero
            var tokens_n = places_n2.select(1, 0);
            var weights_n1 = weights_Nk.index_select(0, tokens_n.mul(_perToken).add(places_n2.select(1, 1), One)).unsqueeze(1);
            var made_nD = _experts[i].forward(x_ND.index_select(0, tokens_n)).mul(weights_n1);
            y_ND = y_ND.index_add(0, tokens_n, made_nD, One).MoveToOuterDisposeScope();
        }
        return y_ND.reshape(x_BTD.shape).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            foreach (var number in _numbers)
                number.Dispose();
            _perToken.Dispose();
        }
        base.Dispose(disposing);
    }
}

/// <summary>
/// The load-balancing loss (Fedus et al. 2021, equations 4 to 6, as Transformers computes it for Mixtral): the share of tokens that
/// an expert gets, times the mean of its probabilities, summed over experts and over the k places, times the number of experts.
/// The tokens of all layers count together.
/// </summary>
internal sealed class BalanceLoss : IDisposable
{
    private static readonly long[] Tokens = [0];

    private readonly MixtureOfExperts _shape;
    private readonly Scalar _weight;

    public BalanceLoss(MixtureOfExperts shape) => (_shape, _weight) = (shape, (shape.BalanceWeight * shape.Count).ToScalar());

    /// <summary>The loss with its weight, float32, without dimensions.</summary>
    /// <param name="routers">Logits of every layer, (N, E).</param>
    public Tensor Of(IEnumerable<Tensor> routers)
    {
        using var temporaries = NewDisposeScope();
        var probabilities_NE = cat([.. routers], 0).to(ScalarType.Float32).softmax(1);
        var (_, chosen_Nk) = probabilities_NE.topk(_shape.PerToken, 1);
        var shares_kE = nn.functional.one_hot(chosen_Nk, _shape.Count).to(ScalarType.Float32).mean(Tokens);
        return shares_kE.mul(probabilities_NE.mean(Tokens)).sum().mul(_weight).MoveToOuterDisposeScope();
    }

    public void Dispose() => _weight.Dispose();
}
