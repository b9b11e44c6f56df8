using System.Text.Json;
using Streaming.Streams.Tokenization;
using Streaming.Streams.TokenizerTraining;

namespace Streaming.Streams.Tests.TokenizerTraining;

public sealed class TokenizerFolderSpec : IDisposable
{
    private static readonly Lazy<byte[]> _model = new(() =>
        new TokenizerTrainer(new TokenizerTrainingOptions { VocabularySize = 2_000 }).Train([Corpus.Sample], CancellationToken.None));

    private readonly string _folder = Directory.CreateTempSubdirectory("tokenizer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_folder_holds_the_model_and_what_transformers_reads_and_nothing_else()
    {
        var folder = Path.Combine(_folder, "new");
        new TokenizerFolder(folder, replace: false).Write(_model.Value);
        Assert.Equal(
            ["special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer.model", "tokenizer_config.json"],
            Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(_model.Value, File.ReadAllBytes(Path.Combine(folder, "tokenizer.model")));
        Assert.Equal(_model.Value, File.ReadAllBytes(Path.Combine(folder, "spiece.model")));
    }

    [Fact]
    public void A_tokenizer_is_replaced_only_where_that_is_asked_for()
    {
        new TokenizerFolder(_folder, replace: false).Write(_model.Value);
        var mistake = Assert.Throws<TokenizerTrainingException>(() => new TokenizerFolder(_folder, replace: false));
        Assert.Equal($"{_folder} holds a tokenizer already (tokenizer.json); name another folder, or replace it with --force.", mistake.Message);
        File.WriteAllText(Path.Combine(_folder, "tokenizer.json"), "old");
        new TokenizerFolder(_folder, replace: true).Write(_model.Value);
        Assert.NotEqual("old", File.ReadAllText(Path.Combine(_folder, "tokenizer.json")));
    }

    [Fact]
    public void A_folder_that_cannot_be_is_one_sentence()
    {
        var file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        var mistake = Assert.Throws<TokenizerTrainingException>(() => new TokenizerFolder(Path.Combine(file, "folder"), replace: false));
        Assert.StartsWith($"{file}/folder cannot be written to (", mistake.Message);
        Assert.EndsWith("check its permissions and the space left, or name another folder.", mistake.Message);
    }

    [Theory]
    [InlineData("""{"add_bos_token": true, "tokenizer_class": "LlamaTokenizer"}""", true)]
    [InlineData("""{"add_bos_token": false}""", false)]
    [InlineData("not JSON", false)]
    public void A_model_whose_files_begin_texts_with_a_token_keeps_that(string beside, bool begins)
    {
        var path = Path.Combine(_folder, "tokenizer.model");
        File.WriteAllBytes(path, _model.Value);
        File.WriteAllText(Path.Combine(_folder, "tokenizer_config.json"), beside);
        HuggingFaceTokenizerFiles.Write(path, _folder);
        Assert.Equal(begins, TextTokenizer.Load(Path.Combine(_folder, "tokenizer.json")).AddsBos);
        using var configuration = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "tokenizer_config.json")));
        Assert.Equal(begins, configuration.RootElement.GetProperty("add_bos_token").GetBoolean());
        HuggingFaceTokenizerFiles.Write(path, _folder); // its own files say the same again
        Assert.Equal(begins, TextTokenizer.Load(Path.Combine(_folder, "tokenizer.json")).AddsBos);
    }

    [Fact]
    public void The_fast_tokenizer_has_the_models_pieces_scores_and_special_ids()
    {
        new TokenizerFolder(_folder, replace: false).Write(_model.Value);
        var model = SentencePieceModelReader.Read(Path.Combine(_folder, "tokenizer.model"));
        using var fast = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "tokenizer.json")));
        var unigram = fast.RootElement.GetProperty("model");
        Assert.Equal(
            model.Pieces.Select(piece => (piece.Text, (double)piece.Score)),
            unigram.GetProperty("vocab").EnumerateArray().Select(entry => (entry[0].GetString()!, entry[1].GetDouble())));
        Assert.Equal(1, unigram.GetProperty("unk_id").GetInt32());
        Assert.True(unigram.GetProperty("byte_fallback").GetBoolean());
        Assert.Equal(
            [(0, "[PAD]"), (1, "[UNK]"), (2, "<s>"), (3, "</s>")],
            fast.RootElement.GetProperty("added_tokens").EnumerateArray().Select(token => (token.GetProperty("id").GetInt32(), token.GetProperty("content").GetString()!)));
        var rules = fast.RootElement.GetProperty("normalizer").GetProperty("normalizers").EnumerateArray()
            .Single(step => step.GetProperty("type").GetString() == "Precompiled").GetProperty("precompiled_charsmap").GetBytesFromBase64();
        Assert.Equal(model.Normalizer!.CompiledRules, rules);

        using var configuration = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "tokenizer_config.json")));
        // Without it T5Tokenizer and LlamaTokenizer of Transformers 5 do not take the file as it is.
        Assert.True(configuration.RootElement.GetProperty("trust_remote_code").GetBoolean());
        using var names = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "special_tokens_map.json")));
        Assert.Equal(
            """{"bos_token":"<s>","eos_token":"</s>","pad_token":"[PAD]","unk_token":"[UNK]"}""",
            JsonSerializer.Serialize(names.RootElement, new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
    }
}
