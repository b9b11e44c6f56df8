using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.Tokenizers;
using Streaming.Streams.Tokenization.HuggingFace;

namespace Streaming.Streams.Tokenization;

/// <summary>
/// A <c>tokenizer.json</c> of the Hugging Face tokenizers library: encodes as its <c>encode(text, add_special_tokens=False)</c>
/// does, id for id. Texts that spell an added token, such as <c>&lt;/s&gt;</c>, become it, as there.
/// Reference: https://github.com/huggingface/tokenizers, 0.22.
/// </summary>
public sealed class JsonTokenizer : TextTokenizer
{
    private readonly TokenizerJson _json;
    private readonly AddedTokens _inRawText, _inNormalizedText;
    private readonly Dictionary<string, int> _ids;
    private readonly string[] _pieces; // null where no token has the id
    private readonly Dictionary<int, string> _shown = []; // added tokens that are looked for in normalised text show it
    private readonly HashSet<int> _special = [];
    private readonly HashSet<int> _added = [];

    private JsonTokenizer(TokenizerJson json, SpecialTokenRoles roles, byte[] file)
    {
        _json = json;
        _ids = new Dictionary<string, int>(json.Model.Vocabulary, StringComparer.Ordinal);
        foreach (var token in json.AddedTokens)
        {
            _ids[token.Content] = token.Id;
            _added.Add(token.Id);
            if (token.Special)
                _special.Add(token.Id);
        }
        _pieces = new string[_ids.Values.Max() + 1];
        foreach (var (piece, id) in json.Model.Vocabulary.Concat(json.AddedTokens.Select(token => KeyValuePair.Create(token.Content, token.Id))))
            _pieces[id] = piece;
        _inRawText = new AddedTokens(json.AddedTokens.Where(token => !token.Normalized).Select(token => (token, token.Content)));
        var rewriter = new TextRewriter(json.Normalizer);
        _inNormalizedText = new AddedTokens(json.AddedTokens.Where(token => token.Normalized).Select(token => (token, rewriter.Apply(token.Content).ToString())));
        foreach (var token in json.AddedTokens.Where(token => token.Normalized))
            _shown[token.Id] = rewriter.Apply(token.Content).ToString();
        BosId = roles.Begin is { } begin && _ids.TryGetValue(begin, out var bos) ? bos : null;
        EosId = roles.End is { } end && _ids.TryGetValue(end, out var eos) ? eos : null;
        PadId = roles.Padding is { } padding && _ids.TryGetValue(padding, out var pad) ? pad : null;
        AddsBos = BosId is not null && json.FirstToken == roles.Begin;
        Fingerprint = Convert.ToHexStringLower(SHA256.HashData([.. file, .. Encoding.UTF8.GetBytes($"{BosId} {EosId} {PadId}")]));
    }

    /// <summary>Loads a <c>tokenizer.json</c>; which tokens begin and end a text is read from <c>tokenizer_config.json</c> beside it.</summary>
    /// <exception cref="InvalidDataException">The file is none, is broken, or has a part that is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static new JsonTokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var file = TokenizerJson.ReadFile(path);
        try
        {
            var json = TokenizerJson.Read(file);
            return new JsonTokenizer(json, SpecialTokenRoles.Beside(path, json.AddedTokens), file);
        }
        catch (FormatException wrong)
        {
            throw new InvalidDataException($"{path} is not a usable tokenizer.json: {wrong.Message}; give the one that belongs to the model, or its tokenizer.model.", wrong);
        }
    }

    /// <inheritdoc/>
    public override string Fingerprint { get; }

    /// <inheritdoc/>
    public override int VocabularySize => _pieces.Length;

    /// <inheritdoc/>
    public override int UnknownId => _json.Model.UnknownId;

    /// <inheritdoc/>
    public override int? BosId { get; }

    /// <inheritdoc/>
    public override int? EosId { get; }

    /// <inheritdoc/>
    public override int? PadId { get; }

    /// <inheritdoc/>
    public override bool? AddsBos { get; }

    /// <inheritdoc/>
    public override bool HasByteFallback => _json.Model.HasByteFallback;

    /// <summary>None that stands by itself: added tokens are found before and between its steps.</summary>
    public override Normalizer? Normalizer => null;

    /// <inheritdoc/>
    public override string IdToPiece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)id, (uint)VocabularySize, nameof(id));
        return _pieces[id] ?? "";
    }

    /// <inheritdoc/>
    public override string IdToText(int id)
    {
        var piece = IdToPiece(id);
        if (_added.Contains(id))
            return piece;
        var (sink, stages) = CreateStages();
        foreach (var stage in stages.OfType<ByteLevelStage>().Take(1))
        {
            stage.Next = sink;
            stage.Take(piece, isFirst: true, isLast: true);
            stage.Finish();
            var text = sink.Text.Span;
            return text.Contains('\uFFFD') ? piece : text.ToString();
        }
        return base.IdToText(id);
    }

    /// <inheritdoc/>
    public override int PieceToId(ReadOnlySpan<char> piece) =>
        _ids.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(piece, out var id) ? id : UnknownId;

    /// <inheritdoc/>
    public override TextEncoder CreateEncoder() => new JsonEncoder(_json, _inRawText, _inNormalizedText);

    internal override TextDecoding BeginDecoding()
    {
        var (sink, stages) = CreateStages();
        return new Decoding(this, stages, sink);
    }

    private (TextSink Sink, IReadOnlyList<DecoderStage> Stages) CreateStages()
    {
        var sink = new TextSink();
        var stages = _json.Decoder();
        for (var i = 0; i < stages.Count; i++)
            stages[i].Next = i + 1 < stages.Count ? stages[i + 1] : sink;
        return (sink, stages);
    }

    /// <summary>Special tokens show nothing.</summary>
    private sealed class Decoding(JsonTokenizer tokenizer, IReadOnlyList<DecoderStage> stages, TextSink sink) : TextDecoding
    {
        private readonly DecoderStage _first = stages.Count > 0 ? stages[0] : sink;

        public override bool HoldsBack => stages.Any(stage => stage.HoldsBack);

        public override void Append(int id, CharacterBuffer text)
        {
            if ((uint)id >= (uint)tokenizer.VocabularySize)
                throw new InvalidOperationException($"token id {id} is not in the vocabulary of {tokenizer.VocabularySize} pieces; decode with the tokenizer that encoded.");
            sink.Text = text;
            if (tokenizer._pieces[id] is { } piece && !tokenizer._special.Contains(id))
                _first.Take(tokenizer._shown.GetValueOrDefault(id, piece), isFirst: true, isLast: true);
        }

        public override void Finish(CharacterBuffer text)
        {
            sink.Text = text;
            _first.Finish();
        }
    }
}
