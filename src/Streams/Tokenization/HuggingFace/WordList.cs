namespace Streaming.Streams.Tokenization.HuggingFace;

/// <summary>The words that a section of a text has been cut into: their texts one behind the other. Storage is reused; not thread-safe.</summary>
internal sealed class WordList
{
    private readonly CharacterBuffer _text = new();
    private readonly List<int> _ends = [];

    /// <summary>For the step that adds words here: where a pattern matched.</summary>
    public List<(int Start, int End)> Matches { get; } = [];

    /// <summary>For the step that adds words here: a text in the making.</summary>
    public CharacterBuffer Scratch { get; } = new();

    public int Count => _ends.Count;

    public ReadOnlySpan<char> this[int index] => _text.Span[Start(index).._ends[index]];

    /// <summary>The first word begins where the whole text began.</summary>
    public bool IsAtStart { get; private set; }

    public void Clear(bool isAtStart)
    {
        _text.Clear();
        _ends.Clear();
        IsAtStart = isAtStart;
    }

    /// <summary>Adds a word; one without a character is no word.</summary>
    public void Add(ReadOnlySpan<char> word)
    {
        if (word.IsEmpty)
            return;
        _text.Append(word);
        _ends.Add(_text.Length);
    }

    private int Start(int index) => index == 0 ? 0 : _ends[index - 1];
}
