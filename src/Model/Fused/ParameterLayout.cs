namespace Streaming.Model.Fused;

/// <summary>
/// Where each parameter lies in the flat buffers. Query, key and value weights lie behind one another, so do gate and up, so that
/// each group is one matrix; the norms come last, so that one product over all of them sums their gradients and one bound tells what
/// decays. Offsets are multiples of 8 elements.
/// </summary>
public sealed class ParameterLayout
{
    private readonly List<Entry> _entries = [];
    private readonly long? _norms;

    /// <param name="Name">As in the Hugging Face checkpoint.</param>
    /// <param name="Offset">First element in each flat buffer.</param>
    /// <param name="Shape">As in the checkpoint: without padding, which follows the last row.</param>
    public sealed record Entry(string Name, long Offset, IReadOnlyList<long> Shape)
    {
        public long Count => Shape.Aggregate(1L, (product, size) => product * size);
    }

    private ParameterLayout() => Layers = [];

    public ParameterLayout(FusedShape shape)
    {
        long hidden = shape.Hidden, feedForward = shape.Intermediate;
        Embedding = Add("model.embed_tokens.weight", (long)shape.VocabularyPadded * hidden, shape.Vocabulary, hidden);
        Layers = new Layer[shape.Layers];
        for (var i = 0; i < shape.Layers; i++)
        {
            var prefix = $"model.layers.{i}.";
            var packed = Add(prefix + "self_attn.q_proj.weight", shape.QueryWidth * hidden, shape.QueryWidth, hidden);
            Add(prefix + "self_attn.k_proj.weight", shape.KeyValueWidth * hidden, shape.KeyValueWidth, hidden);
            Add(prefix + "self_attn.v_proj.weight", shape.KeyValueWidth * hidden, shape.KeyValueWidth, hidden);
            var output = Add(prefix + "self_attn.o_proj.weight", shape.QueryWidth * hidden, hidden, shape.QueryWidth);
            var gateUp = Add(prefix + "mlp.gate_proj.weight", feedForward * hidden, feedForward, hidden);
            Add(prefix + "mlp.up_proj.weight", feedForward * hidden, feedForward, hidden);
            var down = Add(prefix + "mlp.down_proj.weight", feedForward * hidden, hidden, feedForward);
            Layers[i] = new Layer(packed, output, gateUp, down);
        }
        Classifier = shape.Model.TieWordEmbeddings
            ? Embedding
            : Add("lm_head.weight", (long)shape.VocabularyPadded * hidden, shape.Vocabulary, hidden);
        LayersEnd = shape.Model.TieWordEmbeddings ? Count : Classifier;
        _norms = Count;
        for (var i = 0; i < shape.Layers; i++)
        {
            Add($"model.layers.{i}.input_layernorm.weight", hidden, hidden);
            Add($"model.layers.{i}.post_attention_layernorm.weight", hidden, hidden);
        }
        Add("model.norm.weight", hidden, hidden);
        NormCount = 2 * shape.Layers + 1;
    }

    /// <summary>Offsets of one layer's matrices.</summary>
    public readonly record struct Layer(long PackedProjection, long OutputProjection, long GateUp, long Down);

    public IReadOnlyList<Entry> Entries => _entries;
    public long Embedding { get; }
    public Layer[] Layers { get; }
    public long Classifier { get; }

    /// <summary>First element of the layers' matrices, which lie between the embedding and a classifier of its own, or the norms.</summary>
    public long LayersBegin => Layers[0].PackedProjection;

    /// <summary>The element after the layers' matrices.</summary>
    public long LayersEnd { get; }

    /// <summary>Elements of one layer's matrices.</summary>
    public long LayerCount => (LayersEnd - LayersBegin) / Layers.Length;

    /// <summary>Elements of the output matrix, padding included.</summary>
    public long ClassifierCount => LayersEnd == Norms ? LayersBegin : Norms - LayersEnd;

    /// <summary>First element of the norm weights: input and post-attention norm of each layer, then the last norm.</summary>
    public long Norms => _norms ?? Count;

    public int NormCount { get; }

    /// <summary>Elements of each flat buffer, padding included.</summary>
    public long Count { get; private set; }

    /// <summary>Parameters of the model, without padding.</summary>
    public long ParameterCount => _entries.Sum(entry => entry.Count);

    /// <summary>An empty layout of matrices that are no model's, to be filled by <see cref="Add(string, long, IReadOnlyList{long})"/>.</summary>
    internal static ParameterLayout OfMatrices() => new();

    /// <summary>The next begins at a multiple of 256 bytes, whatever an element's size.</summary>
    internal void Align() => Count = (Count + 127) / 128 * 128;

    /// <param name="name">Its name.</param>
    /// <param name="room">Elements, what follows the last row included.</param>
    /// <param name="shape">As it lies.</param>
    /// <returns>Its first element.</returns>
    internal long Add(string name, long room, IReadOnlyList<long> shape) => Add(name, room, shape.ToArray());

    private long Add(string name, long room, params long[] shape)
    {
        var offset = Count;
        _entries.Add(new Entry(name, offset, shape));
        Count += (room + 7) / 8 * 8;
        return offset;
    }
}
