using Streaming.Model.Parameters;

namespace Streaming.Model.Tests.Reference;

/// <summary>
/// Mixtral in float64, one number at a time: what Transformers' modeling_mixtral.py says in formulas, without tensors or
/// gradients. For checking the engine that has both.
/// </summary>
internal sealed class PlainMixtral
{
    private readonly MistralConfig _config;
    private readonly Dictionary<string, double[]> _weights = [];

    public PlainMixtral(MistralConfig config, IWeightSource source)
    {
        _config = config;
        foreach (var parameter in ModelParameter.Of(config))
        {
            var values = new float[parameter.Count];
            source.Read(parameter, values);
            _weights[parameter.Name] = [.. values.Select(value => (double)value)];
        }
    }

    /// <summary>One weight, to be changed.</summary>
    public ref double this[string name, int index] => ref _weights[name][index];

    /// <summary>Logits of a text (T rows of V), and the routers' probabilities of each layer and token.</summary>
    public (double[][] Logits, List<double[]> Probabilities) Forward(ReadOnlySpan<int> tokens)
    {
        var width = _config.HiddenSize;
        var x = new double[tokens.Length][];
        for (var t = 0; t < tokens.Length; t++)
            x[t] = _weights["model.embed_tokens.weight"][(tokens[t] * width)..((tokens[t] + 1) * width)];
        var probabilities = new List<double[]>();
        for (var layer = 0; layer < _config.LayerCount; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            Attend(x, prefix);
            foreach (var row in x)
                AddExperts(row, prefix, probabilities);
        }
        return ([.. x.Select(row => Multiply("lm_head.weight", Norm("model.norm.weight", row)))], probabilities);
    }

    /// <summary>Mean cross-entropy of all rows, and the load-balancing loss without its weight.</summary>
    public (double CrossEntropy, double Balance) Loss(int[] tokens, int rows)
    {
        var columns = tokens.Length / rows;
        var (sum, shares, means, count) = (0.0, new double[_config.Experts!.PerToken, _config.Experts.Count], new double[_config.Experts.Count], 0);
        for (var row = 0; row < rows; row++)
        {
            var text = tokens.AsSpan(row * columns, columns);
            var (logits, probabilities) = Forward(text);
            for (var t = 0; t + 1 < columns; t++)
                sum -= Math.Log(Softmax(logits[t])[text[t + 1]]);
            foreach (var p in probabilities)
            {
                var chosen = Highest(p, _config.Experts.PerToken);
                for (var i = 0; i < chosen.Length; i++)
                    shares[i, chosen[i]]++;
                for (var e = 0; e < p.Length; e++)
                    means[e] += p[e];
                count++;
            }
        }
        double balance = 0;
        for (var i = 0; i < _config.Experts.PerToken; i++)
        {
            for (var e = 0; e < means.Length; e++)
                balance += shares[i, e] / count * (means[e] / count);
        }
        return (sum / (rows * (columns - 1)), balance * means.Length);
    }

    private void Attend(double[][] x, string prefix)
    {
        int head = _config.HeadSize, group = _config.HeadCount / _config.KeyValueHeadCount;
        var queries = new double[x.Length][];
        var (keys, values) = (new double[x.Length][], new double[x.Length][]);
        for (var t = 0; t < x.Length; t++)
        {
            var normed = Norm(prefix + "input_layernorm.weight", x[t]);
            queries[t] = Rotate(Multiply(prefix + "self_attn.q_proj.weight", normed), t);
            keys[t] = Rotate(Multiply(prefix + "self_attn.k_proj.weight", normed), t);
            values[t] = Multiply(prefix + "self_attn.v_proj.weight", normed);
        }
        for (var t = x.Length - 1; t >= 0; t--)
        {
            var mixed = new double[_config.HeadCount * head];
            for (var h = 0; h < _config.HeadCount; h++)
            {
                var scores = Softmax([.. Enumerable.Range(0, t + 1).Select(s => Enumerable.Range(0, head).Sum(i => queries[t][h * head + i] * keys[s][h / group * head + i]) / Math.Sqrt(head))]);
                for (var i = 0; i < head; i++)
                    mixed[h * head + i] = Enumerable.Range(0, t + 1).Sum(s => scores[s] * values[s][h / group * head + i]);
            }
            Add(x[t], Multiply(prefix + "self_attn.o_proj.weight", mixed), 1);
        }
    }

    private void AddExperts(double[] row, string prefix, List<double[]> probabilities)
    {
        var normed = Norm(prefix + "post_attention_layernorm.weight", row);
        prefix += "block_sparse_moe.";
        var p = Softmax(Multiply(prefix + "gate.weight", normed));
        probabilities.Add(p);
        var chosen = Highest(p, _config.Experts!.PerToken);
        foreach (var e in chosen)
        {
            var (gate, up) = (Multiply($"{prefix}experts.{e}.w1.weight", normed), Multiply($"{prefix}experts.{e}.w3.weight", normed));
            var made = Multiply($"{prefix}experts.{e}.w2.weight", [.. gate.Zip(up, (g, u) => g / (1 + Math.Exp(-g)) * u)]);
            Add(row, made, p[e] / chosen.Sum(other => p[other]));
        }
    }

    private static int[] Highest(double[] p, int count) => [.. Enumerable.Range(0, p.Length).OrderByDescending(e => p[e]).Take(count)];

    private double[] Rotate(double[] x, int position)
    {
        var half = _config.HeadSize / 2;
        var turned = new double[x.Length];
        for (var h = 0; h < x.Length; h += 2 * half)
        {
            for (var i = 0; i < half; i++)
            {
                var (sine, cosine) = Math.SinCos(position / Math.Pow(_config.RopeTheta, i / (double)half));
                turned[h + i] = x[h + i] * cosine - x[h + half + i] * sine;
                turned[h + half + i] = x[h + half + i] * cosine + x[h + i] * sine;
            }
        }
        return turned;
    }

    private double[] Norm(string name, double[] x)
    {
        var scale = 1 / Math.Sqrt(x.Average(value => value * value) + _config.RmsNormEpsilon);
        return [.. x.Zip(_weights[name], (value, weight) => value * scale * weight)];
    }

    private double[] Multiply(string name, double[] x)
    {
        var weight = _weights[name];
        var y = new double[weight.Length / x.Length];
        for (var row = 0; row < y.Length; row++)
        {
            for (var i = 0; i < x.Length; i++)
                y[row] += weight[row * x.Length + i] * x[i];
        }
        return y;
    }

    private static double[] Softmax(double[] x)
    {
        var highest = x.Max();
        double[] powers = [.. x.Select(value => Math.Exp(value - highest))];
        var sum = powers.Sum();
        return [.. powers.Select(power => power / sum)];
    }

    private static void Add(double[] x, double[] summand, double factor)
    {
        for (var i = 0; i < x.Length; i++)
            x[i] += summand[i] * factor;
    }
}
