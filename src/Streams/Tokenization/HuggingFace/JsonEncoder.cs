using Streaming.Streams.Text;

namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>
/// Encodes in the order of the tokenizers library: added tokens are cut out of the raw text; what is between is normalised,
/// cut at the other added tokens, cut into words, and each word segmented by the model.
/// </summary>
internal sealed class JsonEncoder(TokenizerJson json, AddedTokens inRawText, AddedTokens inNormalizedText) : TextEncoder
{
    private readonly TextRewriter _rewriter = new(json.Normalizer);
    private readonly Segmenter _segmenter = json.Model.CreateSegmenter();
    private readonly CharacterBuffer _seen = new(); // the text as the model sees it
    private readonly TokenBuffer _wordEnds = new();
    private WordList _words = new(), _spareWords = new();

    internal override ReadOnlySpan<char> Encode(ReadOnlySpan<char> text, bool normalize, TokenBuffer ids, TokenBuffer? ends)
    {
        _seen.Clear();
        text = SentencePieceNormalizer.WithoutLoneSurrogates(text);
        var place = 0;
        while (inRawText.TryFind(text, place, out var start, out var end, out var token))
        {
            EncodeSection(text[place..start], place == 0, normalize, ids, ends);
            Add(token, ids, ends);
            place = end;
        }
        EncodeSection(text[place..], place == 0, normalize, ids, ends);
        return _seen.Span;
    }

    private void EncodeSection(ReadOnlySpan<char> text, bool isAtStart, bool normalize, TokenBuffer ids, TokenBuffer? ends)
    {
        if (text.IsEmpty)
            return;
        if (normalize)
            text = _rewriter.Apply(text);
        var place = 0;
        while (inNormalizedText.TryFind(text, place, out var start, out var end, out var token))
        {
            EncodeWords(text[place..start], isAtStart && place == 0, ids, ends);
            Add(token, ids, ends);
            place = end;
        }
        EncodeWords(text[place..], isAtStart && place == 0, ids, ends);
    }

    private void EncodeWords(ReadOnlySpan<char> text, bool isAtStart, TokenBuffer ids, TokenBuffer? ends)
    {
        if (text.IsEmpty)
            return;
        if (json.PreTokenizer.Count == 0)
        {
            EncodeWord(text, ids, ends);
            return;
        }
        _words.Clear(isAtStart);
        _words.Add(text);
        foreach (var step in json.PreTokenizer)
        {
            _spareWords.Clear(isAtStart);
            for (var i = 0; i < _words.Count; i++)
                step.Apply(_words[i], isAtStart && i == 0, _spareWords);
            (_words, _spareWords) = (_spareWords, _words);
        }
        for (var i = 0; i < _words.Count; i++)
            EncodeWord(_words[i], ids, ends);
    }

    private void EncodeWord(ReadOnlySpan<char> word, TokenBuffer ids, TokenBuffer? ends)
    {
        if (ends is null)
        {
            _segmenter.Segment(word, ids, ends: null);
            return;
        }
        _wordEnds.Clear();
        _segmenter.Segment(word, ids, _wordEnds);
        foreach (var end in _wordEnds.Span)
            ends.Add(_seen.Length + end);
        _seen.Append(word);
    }

    private void Add(AddedToken token, TokenBuffer ids, TokenBuffer? ends)
    {
        ids.Add(token.Id);
        if (ends is null)
            return;
        _seen.Append(token.Content);
        ends.Add(_seen.Length);
    }
}
