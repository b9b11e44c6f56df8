using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Streaming.Streams.Tokenization;
using Streaming.Tests;

namespace Streaming.Streams.Tests.Tokenization;

public sealed class JsonTokenizerSpec : IDisposable
{
    private static readonly Lazy<JsonObject> _fixture = new(() => JsonNode.Parse(
        File.ReadAllText(Path.Combine(ReferenceData.RepositoryRoot, "tests", "Streams.Tests", "Tokenization", "Models", "tokenizer-json.json")))!.AsObject());

    private readonly string _folder = Directory.CreateTempSubdirectory("tokenizer-json-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string> Kinds => [.. _fixture.Value["variants"]!.AsObject().Select(variant => variant.Key)];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Lines_encode_and_decode_as_the_tokenizers_library_does_it(string kind)
    {
        var tokenizer = Load(Make(kind));
        var cases = _fixture.Value["variants"]![kind]!["cases"]!.Deserialize<TokenizerCase[]>(JsonSerializerOptions.Web)!;
        Assert.True(cases.Length > 30);
        foreach (var line in cases)
        {
            Assert.Equal(line.Ids, tokenizer.Encode(line.Text));
            Assert.Equal(line.Ids, tokenizer.EncodeToTokens(line.Text, out _).Select(token => token.Id));
            Assert.Equal(line.Decoded, tokenizer.Decode(line.Ids));
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Random_ids_come_out_of_the_streaming_decoder_as_of_decoding_at_once(string kind)
    {
        var tokenizer = Load(Make(kind));
        var random = new Random(6);
        for (var i = 0; i < 200; i++)
        {
            var ids = Enumerable.Range(0, random.Next(20)).Select(_ => random.Next(tokenizer.VocabularySize)).ToArray();
            var decoder = tokenizer.CreateDecoder();
            var text = new StringBuilder();
            foreach (var id in ids)
            {
                var shown = decoder.Append(id);
                Assert.False(shown.Length > 0 && (char.IsHighSurrogate(shown[^1]) || char.IsLowSurrogate(shown[0])));
                text.Append(shown);
            }
            Assert.Equal(tokenizer.Decode(ids), text.Append(decoder.Finish()).ToString());
        }
    }

    [Fact]
    public void A_byte_level_character_in_two_tokens_is_shown_when_it_is_whole()
    {
        var tokenizer = Load(Make("byte level, words of GPT-2"));
        var decoder = tokenizer.CreateDecoder();
        var shown = tokenizer.Encode("a𠮷").Select(id => decoder.Append(id).ToString()).ToList();
        Assert.True(shown.Count > 2);
        Assert.Equal("𠮷", shown[^1]);
        Assert.All(shown.Skip(1).SkipLast(1), Assert.Empty);
    }

    [Fact]
    public void Roles_come_from_the_files_beside_it_and_the_template_says_whether_a_prompt_begins_with_one()
    {
        var json = Make("Llama, spaces prepended");
        json["post_processor"] = JsonNode.Parse("""{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]}""");
        var alone = Load(json);
        Assert.Equal((1, 2, null, true), (alone.BosId, alone.EosId, alone.PadId, alone.AddsBos)); // the usual names

        File.WriteAllText(Path.Combine(_folder, "tokenizer_config.json"), """{"bos_token": {"content": "</s>"}, "eos_token": "<s>", "pad_token": "<unk>"}""");
        var named = Load(json);
        Assert.Equal((2, 1, 0, false), (named.BosId, named.EosId, named.PadId, named.AddsBos));
        Assert.NotEqual(alone.Fingerprint, named.Fingerprint);
    }

    [Theory]
    [InlineData("model.type", "\"WordPiece\"", "model is a model of the type WordPiece, which is not supported")]
    [InlineData("model.continuing_subword_prefix", "\"##\"", "model.continuing_subword_prefix is \"##\", and marks on parts of words are not supported")]
    [InlineData("model.dropout", "0.1", "model.dropout is 0.1, and leaving out merges at random is not supported")]
    [InlineData("model.vocab", "{}", "model.vocab holds no pieces")]
    [InlineData("model.vocab", "{\"a\": -1}", "model.vocab is no whole number from 0 to 16777215")]
    [InlineData("model.merges", "[\"a\"]", "model.merges[0] is \"a\", which is no pair of pieces")]
    [InlineData("model.merges", "[[\"zz\", \"q\"]]", "model.merges[0] is [\"zz\",\"q\"], of which a piece, or what they make, is not in model.vocab")]
    [InlineData("model.merges", "3", "model.merges is no list")]
    [InlineData("normalizer", "{\"type\": \"BertNormalizer\"}", "normalizer is a normalizer of the type BertNormalizer, which is not supported")]
    [InlineData("normalizer", "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Nmt\"}]}", "normalizer.normalizers[1] is a normalizer of the type Nmt, which is not supported")]
    [InlineData("normalizer", "{\"prepend\": \"a\"}", "normalizer lacks type")]
    [InlineData("normalizer", "7", "normalizer is no object")]
    [InlineData("normalizer", "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"?\"}", "normalizer.precompiled_charsmap is no base64")]
    [InlineData("pre_tokenizer", "{\"type\": \"UnicodeScripts\"}", "pre_tokenizer is a pre-tokenizer of the type UnicodeScripts, which is not supported")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{Han}+\"}, \"behavior\": \"Isolated\"}", "pre_tokenizer.pattern is the regular expression \\p{Han}+, which is not supported")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"[a&&[^b]]\"}, \"behavior\": \"Isolated\"}", "an intersection of classes is not supported")]
    [InlineData("pre_tokenizer", "{\"type\": \"Split\", \"pattern\": {\"String\": \"a\"}, \"behavior\": \"Shuffled\"}", "pre_tokenizer.behavior is Shuffled, which is no way to split")]
    [InlineData("decoder", "{\"type\": \"CTC\"}", "decoder is a decoder of the type CTC, which is not supported")]
    [InlineData("added_tokens", "[{\"id\": 1}]", "added_tokens[0].content")]
    public void A_part_that_is_wrong_or_not_supported_is_named_in_one_sentence(string place, string value, string reason)
    {
        var json = Make("Llama, spaces prepended");
        var parts = place.Split('.');
        (parts.Length == 1 ? json : json[parts[0]]!.AsObject())[parts[^1]] = JsonNode.Parse(value);
        Refuses(json.ToJsonString(), reason.Replace("added_tokens[0].content", "added_tokens[0] lacks content", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", "it is no JSON")]
    [InlineData("[]", "it is no object")]
    [InlineData("{}", "it holds no model")]
    [InlineData("{\"model\": {\"vocab\": {\"\\ud800\": 1}}", "it is no JSON")]
    [InlineData("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\\ud800\": 1}, \"merges\": []}}", "no valid Unicode text")]
    [InlineData("{\"model\": {\"type\": \"Unigram\", \"unk_id\": 9, \"vocab\": [[\"a\", 0]]}}", "model.unk_id is 9, where model.vocab holds 1 pieces")]
    [InlineData("{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]]}}", "model.unk_id is missing")]
    public void What_is_no_tokenizer_is_refused_in_one_sentence(string text, string reason) => Refuses(text, reason);

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        var whole = Make("Llama, spaces prepended").ToJsonString();
        for (var length = 0; length < whole.Length; length += whole.Length / 60)
            Refuses(whole[..length], "");
    }

    [Fact]
    public void The_file_made_of_a_byte_pair_model_gives_the_models_ids()
    {
        foreach (var (name, bytes) in Streams.TokenizerTraining.HuggingFaceTokenizerFiles.Make(TokenizerCases.SmallModelPath("pairs-bytes")))
            File.WriteAllBytes(Path.Combine(_folder, name), bytes);
        var tokenizer = TextTokenizer.Load(Path.Combine(_folder, "tokenizer.json"));
        var piece = TokenizerCases.LoadSmall("pairs-bytes");
        Assert.Equal((piece.BosId, piece.EosId, piece.PadId, piece.VocabularySize), (tokenizer.BosId, tokenizer.EosId, tokenizer.PadId, tokenizer.VocabularySize));
        foreach (var line in TokenizerCases.ReadSmall("pairs-bytes").Where(line => !line.Text.Contains('<'))) // special pieces are found in the text there
            Assert.Equal(line.Ids, tokenizer.Encode(line.Text));
    }

    private void Refuses(string text, string reason)
    {
        var path = Path.Combine(_folder, "tokenizer.json");
        File.WriteAllText(path, text);
        var refused = Assert.Throws<InvalidDataException>(() => TextTokenizer.Load(path));
        Assert.Contains(reason, refused.Message);
        Assert.StartsWith(path, refused.Message);
        Assert.EndsWith(".", refused.Message);
        Assert.DoesNotContain('\n', refused.Message);
    }

    private JsonTokenizer Load(JsonObject json)
    {
        var path = Path.Combine(_folder, "tokenizer.json");
        File.WriteAllText(path, json.ToJsonString());
        return JsonTokenizer.Load(path);
    }

    // A kind is what it says of its own, upon the model and the special tokens that many share.
    private static JsonObject Make(string kind)
    {
        var variant = _fixture.Value["variants"]![kind]!.AsObject();
        var json = new JsonObject { ["version"] = "1.0", ["added_tokens"] = _fixture.Value["added_tokens"]!.DeepClone() };
        foreach (var (name, value) in variant)
        {
            if (name is not ("of" or "model" or "cases"))
                json[name] = value?.DeepClone();
        }
        var model = _fixture.Value["models"]![variant["of"]!.GetValue<string>()]!.DeepClone().AsObject();
        foreach (var (name, value) in variant["model"]?.AsObject() ?? [])
            model[name] = value?.DeepClone();
        json["model"] = model;
        return json;
    }
}
