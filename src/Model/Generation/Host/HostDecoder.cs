using Streaming.Model.Adapters;
using Streaming.Model.Parameters;

namespace Streaming.Model.Generation.Host;

// Shapes: T tokens of a pass, D model width, N query heads, K key-value heads, H head width, F feed-forward width, V vocabulary.

/// <summary>
/// The decoder for processors, without libtorch: weights read where the file is mapped, float32 sums, one read of the
/// weights a pass. Speed with few tokens is that of memory.
/// </summary>
public sealed unsafe partial class HostDecoder : IDecoder
{
    private const int PassTokens = 128;
    private const int MinimumWork = 1 << 15; // multiplications for which waking a thread pays

    private readonly HostWeights _weights;
    private readonly HostMatrix _embedding, _output;
    private readonly float[] _lastNorm;
    private readonly HostLayer[] _layers;
    private readonly KeyValueCache _cache;
    private readonly WorkerGang _gang;
    private readonly HostScratch _scratch;
    private readonly int[] _slotOfToken = new int[PassTokens], _positionOfToken = new int[PassTokens];
    private readonly GangWork _attend, _multiply, _activate;
    private readonly Product[] _products = new Product[3];
    private int _tokens, _layer, _productCount;
    private bool _disposed;

    private HostDecoder(MistralConfig model, HostWeights weights, int slots, int contextLength, int threads)
    {
        (Model, _weights, Slots, ContextLength) = (model, weights, slots, contextLength);
        _embedding = weights["model.embed_tokens.weight"];
        _output = model.TieWordEmbeddings ? _embedding : weights[ModelParameter.OutputMatrix];
        _lastNorm = weights["model.norm.weight"].ToVector();
        _layers = [.. Enumerable.Range(0, model.LayerCount).Select(layer => new HostLayer(weights, layer, model.Experts))];
        _cache = new KeyValueCache(model, slots, contextLength);
        _gang = new WorkerGang(threads, WorkerGang.ShortWatch);
        (_attend, _multiply, _activate) = (Attend, Multiply, Activate);

        _scratch = new HostScratch(model, PassTokens, contextLength, threads);
    }

    /// <summary>Opens a Hugging Face folder, or a checkpoint.</summary>
    /// <param name="folder">Holds <c>config.json</c> and the weights, whole or in shards.</param>
    /// <param name="slots">Sequences held at once.</param>
    /// <param name="contextLength">Tokens of a sequence at most; the model's positions where that is fewer.</param>
    /// <param name="threads">Threads at work; 0 takes one for each core.</param>
    /// <exception cref="ModelException">The folder holds no usable model; says why.</exception>
    public static HostDecoder Open(string folder, int slots, int contextLength, int threads = 0)
    {
        var model = ModelWeights.LoadConfig(folder);
        return Create(model, HostWeights.Open(model, folder), slots, contextLength, threads);
    }

    /// <summary>Copies weights from anywhere, a training engine say.</summary>
    public static HostDecoder Copy(MistralConfig model, IWeightSource source, int slots, int contextLength, int threads = 0) =>
        Create(model, HostWeights.Copy(model, source), slots, contextLength, threads);

    private static HostDecoder Create(MistralConfig model, HostWeights weights, int slots, int contextLength, int threads)
    {
        try
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
            ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 1);
            return new HostDecoder(model, weights, slots, Math.Min(contextLength, model.MaxPositions), threads > 0 ? threads : Environment.ProcessorCount);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    public MistralConfig Model { get; }

    public int Slots { get; }

    public int ContextLength { get; }

    public int MaxTokensInPass => PassTokens;

    /// <summary>Bytes of weights that a pass over one token reads: all matrices, of the embedding one row.</summary>
    public long WeightBytesAToken => _layers.Sum(layer => layer.Bytes) + _output.Bytes;

    public int Length(int slot)
    {
        DecoderChecks.CheckSlot(this, slot);
        return _cache.Length(slot);
    }

    public void Truncate(int slot, int length)
    {
        DecoderChecks.CheckSlot(this, slot);
        _cache.Truncate(slot, length);
    }

    public void Copy(ReadOnlySpan<SlotCopy> copies)
    {
        foreach (var (from, to) in copies)
        {
            DecoderChecks.CheckSlot(this, from);
            DecoderChecks.CheckSlot(this, to);
            _cache.Copy(from, to);
        }
    }

    public void Forward(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens, LogitRows rows, Span<float> logits)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var filled = DecoderChecks.Check(this, parts, tokens, rows, logits.Length);
        Embed(parts, tokens);
        for (_layer = 0; _layer < _layers.Length; _layer++)
            RunLayer(_layers[_layer]);
        if (filled == 0)
            return;
        SelectRows(parts, rows);
        _tokens = filled;
        fixed (float* target = logits)
        {
            Normalize(_lastNorm);
            Products(_scratch.Normed, add: false, (_output, (nint)target));
        }
    }

    private void Embed(ReadOnlySpan<DecoderPart> parts, ReadOnlySpan<int> tokens)
    {
        _tokens = 0;
        foreach (var (slot, count) in parts)
        {
            var position = _cache.Length(slot);
            _cache.Extend(slot, count);
            for (var i = 0; i < count; i++, _tokens++)
            {
                (_slotOfToken[_tokens], _positionOfToken[_tokens]) = (slot, position + i);
                _embedding.ReadRow(tokens[_tokens], _scratch.X + (long)_tokens * Model.HiddenSize);
            }
        }
    }

    private void RunLayer(HostLayer layer)
    {
        Normalize(layer.AttentionNorm);
        Products(_scratch.Normed, add: false, (layer.Query, (nint)_scratch.Queries), (layer.Key, (nint)_scratch.Keys), (layer.Value, (nint)_scratch.Values));
        Remember();
        _gang.Run(_tokens * Model.KeyValueHeadCount, 1, _attend);
        Products(_scratch.Normed, add: true, (layer.AttentionOutput, (nint)_scratch.X));
        Normalize(layer.FeedForwardNorm);
        if (Model.Experts is null)
            FeedForward(layer.FeedForward, _scratch.Normed, add: true, _scratch.X);
        else
            RunExperts(layer, Model.Experts);
    }

    /// <summary>A feed-forward layer of (T, D), into (T, D) or added to it.</summary>
    private void FeedForward(in HostFeedForward layer, float* input, bool add, float* output)
    {
        Products(input, add: false, (layer.Gate, (nint)_scratch.Gate), (layer.Up, (nint)_scratch.Up));
        _gang.Run(_tokens * Model.IntermediateSize, MinimumWork / 4, _activate);
        Products(_scratch.Gate, add, (layer.Down, (nint)output));
    }

    /// <summary>RMSNorm of <c>_x</c> into <c>_normed</c>, (T, D).</summary>
    private void Normalize(float[] weight)
    {
        var width = Model.HiddenSize;
        for (var token = 0; token < _tokens; token++)
        {
            var x = new ReadOnlySpan<float>(_scratch.X + (long)token * width, width);
            var normed = new Span<float>(_scratch.Normed + (long)token * width, width);
            HostVectors.RmsNorm(x, weight, (float)Model.RmsNormEpsilon, normed);
        }
    }

    /// <summary>Turns queries and keys by their positions, and puts keys and values into the cache.</summary>
    private void Remember()
    {
        int head = Model.HeadSize, half = head / 2, queryHeads = Model.HeadCount, keyHeads = Model.KeyValueHeadCount;
        for (var token = 0; token < _tokens; token++)
        {
            var (slot, position) = (_slotOfToken[token], _positionOfToken[token]);
            float* cosines = _scratch.Cosines + (long)position * half, sines = _scratch.Sines + (long)position * half;
            for (var i = 0; i < queryHeads; i++)
                HostAttention.Rotate(_scratch.Queries + ((long)token * queryHeads + i) * head, head, cosines, sines);
            for (var i = 0; i < keyHeads; i++)
            {
                float* key = _scratch.Keys + ((long)token * keyHeads + i) * head, value = _scratch.Values + ((long)token * keyHeads + i) * head;
                HostAttention.Rotate(key, head, cosines, sines);
                var (at, bytes) = ((long)position * head, head * sizeof(float));
                Buffer.MemoryCopy(key, _cache.Keys(slot, _layer, i) + at, bytes, bytes);
                Buffer.MemoryCopy(value, _cache.Values(slot, _layer, i) + at, bytes, bytes);
            }
        }
    }

    /// <summary>Attention of all query heads of a token that share a key-value head; an item is such a pair. Into <c>_normed</c>, (T, N·H).</summary>
    private void Attend(int worker, int begin, int end)
    {
        int keyHeads = Model.KeyValueHeadCount, group = Model.HeadCount / keyHeads, head = Model.HeadSize;
        var scores = _scratch.Scores + (long)worker * ContextLength;
        for (var item = begin; item < end; item++)
        {
            var (token, keyHead) = (item / keyHeads, item % keyHeads);
            var (slot, last) = (_slotOfToken[token], _positionOfToken[token]);
            var first = Model.SlidingWindow is { } window ? Math.Max(0, last - window + 1) : 0;
            float* keys = _cache.Keys(slot, _layer, keyHead), values = _cache.Values(slot, _layer, keyHead);
            for (var i = keyHead * group; i < (keyHead + 1) * group; i++)
            {
                var at = ((long)token * Model.HeadCount + i) * head;
                HostAttention.Attend(_scratch.Queries + at, keys, values, first, last, head, scores, _scratch.Normed + at);
            }
        }
    }

    /// <summary><c>silu(gate) · up</c> in place of the gate, (T, F).</summary>
    private void Activate(int worker, int begin, int end) =>
        HostVectors.SwiGlu(new Span<float>(_scratch.Gate + begin, end - begin), new ReadOnlySpan<float>(_scratch.Up + begin, end - begin));

    /// <summary>Moves the last rows of the parts to the front of <c>_x</c> where only they are wanted.</summary>
    private void SelectRows(ReadOnlySpan<DecoderPart> parts, LogitRows rows)
    {
        if (rows == LogitRows.All || parts.Length == _tokens)
            return;
        long end = 0, bytes = Model.HiddenSize * sizeof(float);
        for (var i = 0; i < parts.Length; i++)
        {
            end += parts[i].Count;
            Buffer.MemoryCopy(_scratch.X + (end - 1) * Model.HiddenSize, _scratch.X + (long)i * Model.HiddenSize, bytes, bytes);
        }
    }

    /// <summary>Multiplies the same input by up to three matrices, as one job.</summary>
    private void Products(float* input, bool add, params ReadOnlySpan<(HostMatrix Weights, nint Output)> products)
    {
        var outputs = 0;
        for (var i = 0; i < products.Length; i++)
        {
            _products[i] = new Product(products[i].Weights, (nint)input, products[i].Output, outputs, add);
            outputs += products[i].Weights.Rows;
        }
        _productCount = products.Length;
        var work = (long)outputs * products[0].Weights.Columns * _tokens;
        var parts = (int)Math.Clamp(work / MinimumWork, 1, _gang.Workers * 16);
        _gang.Run(outputs, (outputs / parts + 7) / 8 * 8, _multiply);
    }

    private void Multiply(int worker, int begin, int end)
    {
        foreach (ref readonly var product in _products.AsSpan(0, _productCount))
        {
            int from = Math.Max(begin - product.First, 0), to = Math.Min(end - product.First, product.Weights.Rows);
            if (from < to)
                HostProducts.Multiply(product.Weights, from, to, (float*)product.Input, _tokens, (float*)product.Output, product.Weights.Rows, product.Add);
        }
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _gang.Dispose();
        _cache.Dispose();
        _weights.Dispose();
        _scratch.Dispose();
    }

    private readonly record struct Product(HostMatrix Weights, nint Input, nint Output, int First, bool Add);
}
