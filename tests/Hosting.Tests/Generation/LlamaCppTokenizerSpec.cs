using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Streams.Text;
using Streaming.Streams.Tokenization;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Generation;

/// <summary>What llama.cpp makes of text with the tokenizers in exported files, beside this program's own ids.</summary>
public sealed class LlamaCppTokenizerSpec : IDisposable
{
    private const string NoBytes = "streaming: llama.cpp spells no character in bytes with a unigram tokenizer: one without a piece of its own is unknown there.\n";
    private const string KeepsSpaces = "streaming: llama.cpp keeps spaces that this tokenizer drops: several in a row, and those at either end of a text.\n";

    private static readonly string _models = Path.Combine(ReferenceData.RepositoryRoot, "tests", "Streams.Tests", "Tokenization", "Models");

    private readonly string _folder = Directory.CreateTempSubdirectory("llama-tokens-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_unigram_tokenizer_gives_the_same_ids_but_for_characters_that_it_spells_in_bytes()
    {
        using var llama = await Export(TinyModel.Tokenizer, NoBytes + KeepsSpaces);
        var tokenizer = PieceTokenizer.Load(TinyModel.Tokenizer);
        var lines = File.ReadAllLines(Path.Combine(ReferenceData.RepositoryRoot, "samples", "corpus-ja.txt")).Where(line => line.Length > 0).ToArray();
        var spelled = 0;
        foreach (var line in lines)
        {
            var ids = Encode(tokenizer, line);
            var there = llama.Tokenize(line);
            if (!ids.Any(id => IsByte(tokenizer, id)))
                Assert.Equal(ids, there);
            else if (++spelled > 0)
                Assert.Equal(WithoutBytes(tokenizer, ids), there);
        }
        Assert.InRange(spelled, 1, lines.Length / 10);
    }

    [Fact]
    public async Task Of_fifty_thousand_pieces_too()
    {
        var model = ReferenceData.Path("tokenizer/spm-ja-50k.model");
        using var llama = await Export(model, NoBytes + KeepsSpaces, vocabulary: 50_000);
        var tokenizer = PieceTokenizer.Load(model);
        var (alike, tied, spaced) = (0, 0, 0);
        foreach (var (text, ids) in Cases(ReferenceData.Path("tokenizer/spm-ja-50k-cases.jsonl")))
        {
            var (expected, there) = (WithoutBytes(tokenizer, ids), llama.Tokenize(text));
            if (expected.SequenceEqual(there))
                alike++;
            else if (IsTied(expected, there))
                tied++;
            else if (DifferInSpaces(llama, expected, there))
                spaced++;
            else
                Assert.Fail($"{text}: {string.Join(' ', expected)}, in llama.cpp {string.Join(' ', there)}");
        }
        Assert.Equal(4010, alike + tied + spaced);
        Assert.InRange(tied, 0, 5);
        Assert.InRange(spaced, 0, 120);
    }

    [Fact]
    public async Task Byte_pairs_with_pieces_for_bytes_give_the_same_ids_and_text_for_every_line()
    {
        using var llama = await Export(Path.Combine(_models, "pairs-bytes.model"), "", vocabulary: 640);
        foreach (var (text, ids) in Cases(Path.Combine(_models, "pairs-bytes-cases.jsonl")))
        {
            Assert.Equal(ids, llama.Tokenize(text));
            // The tokenizer puts a space before each text, and has no other sign for one than U+2581.
            Assert.Equal(text.Replace('\u2581', ' '), llama.Decode(ids)[(text.Length > 0 ? 1 : 0)..]);
        }
    }

    [Fact]
    public async Task Byte_pairs_that_drop_spaces_are_exported_with_a_word_about_it()
    {
        var bytes = File.ReadAllBytes(Path.Combine(_models, "pairs-bytes.model"));
        // The normaliser's settings: a space before each text, and (now) no others than one between words.
        var settings = bytes.AsSpan().LastIndexOf("identity\x12\x00\x18\x01\x20\x00"u8);
        bytes[settings + "identity".Length + 5] = 1;
        var folding = Path.Combine(_folder, "folding.model");
        File.WriteAllBytes(folding, bytes);
        using var llama = await Export(folding, KeepsSpaces, vocabulary: 640);
        var tokenizer = PieceTokenizer.Load(folding);
        Assert.Equal(Encode(tokenizer, "the mill"), llama.Tokenize("the mill"));
        Assert.Equal(Encode(tokenizer, "the mill"), Encode(tokenizer, " the  mill "));
        Assert.NotEqual(Encode(tokenizer, " the  mill "), llama.Tokenize(" the  mill "));
    }

    [Fact]
    public async Task Symbols_that_a_user_defined_break_no_character_that_begins_like_them()
    {
        var model = Path.Combine(_models, "prefix-bytes.model");
        using var llama = await Export(model, NoBytes, vocabulary: 504);
        var tokenizer = PieceTokenizer.Load(model);
        var others = 0;
        foreach (var (text, ids) in Cases(Path.Combine(_models, "prefix-bytes-cases.jsonl")))
        {
            var (expected, there) = (WithoutBytes(tokenizer, ids), llama.Tokenize(text));
            if (!expected.SequenceEqual(there))
                Assert.True(++others <= 10 && (IsTied(expected, there) || DifferInSpaces(llama, expected, there)), $"{text}: {string.Join(' ', expected)}, in llama.cpp {string.Join(' ', there)}");
        }
    }

    /// <summary>Two segmentations as probable as each other: llama.cpp sums in float64, SentencePiece in float32, so they may choose otherwise.</summary>
    private static bool IsTied(IEnumerable<int> expected, IEnumerable<int> there) => expected.Order().SequenceEqual(there.Order());

    /// <summary>One of them folds or trims spaces that the other keeps.</summary>
    private static bool DifferInSpaces(LlamaCpp llama, IEnumerable<int> expected, IEnumerable<int> there)
    {
        string Text(IEnumerable<int> ids) => llama.Decode(ids).Replace(" ", "", StringComparison.Ordinal);
        return llama.Decode(expected).Length != llama.Decode(there).Length && Text(expected) == Text(there);
    }

    private static bool IsByte(PieceTokenizer tokenizer, int id) => tokenizer.IdToPiece(id) is ['<', '0', 'x', _, _, '>'];

    /// <summary>Each run of bytes as the one unknown token that llama.cpp makes of the characters.</summary>
    private static int[] WithoutBytes(PieceTokenizer tokenizer, IReadOnlyList<int> ids) =>
        [.. ids.Where((id, place) => !(IsByte(tokenizer, id) && place > 0 && IsByte(tokenizer, ids[place - 1]))).Select(id => IsByte(tokenizer, id) ? tokenizer.UnknownId : id)];

    private static int[] Encode(PieceTokenizer tokenizer, string text)
    {
        var ids = new TokenBuffer();
        tokenizer.CreateEncoder().Encode(text, ids);
        return ids.Span.ToArray();
    }

    private static IEnumerable<(string Text, int[] Ids)> Cases(string path) => File.ReadLines(path).Select(line =>
    {
        using var json = JsonDocument.Parse(line);
        return (json.RootElement.GetProperty("text").GetString()!, json.RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()).ToArray());
    });

    private async Task<LlamaCpp> Export(string tokenizer, string notices, int vocabulary = 2000)
    {
        var model = TinyModel.Write(Path.Combine(_folder, "model"), config: TinyModel.Config with { VocabularySize = vocabulary, LayerCount = 1 });
        var path = Path.Combine(_folder, "model.gguf");
        var errors = new StringWriter();
        Assert.Equal(0, await CommandLine.RunAsync(Root.Create(), ["export", "--model", model, "--tokenizer", tokenizer, "--output", path, "--format", "gguf"], TextWriter.Null, errors));
        Assert.Equal(notices, errors.ToString());
        return LlamaCpp.Load(path);
    }
}
