using Streaming.Streams.Tokenization;

namespace Streaming.Streams.Tests.Tokenization;

public class ModelLoadingSpec
{
    private const int ModelType = 3, ByteFallback = 35; // fields of the trainer settings

    private static void Refuses(string reason, byte[] file)
    {
        var refused = Assert.Throws<InvalidDataException>(() => ModelFile.Load(file));
        Assert.Contains(reason, refused.Message);
        Assert.Contains(".tmp", refused.Message); // the file's name
        Assert.Contains("; ", refused.Message);   // what to do
        Assert.EndsWith(".", refused.Message);
        Assert.DoesNotContain('\n', refused.Message);
    }

    [Fact]
    public void A_missing_file_and_a_folder_are_refused_by_name()
    {
        Assert.Contains("/no/such.model does not exist", Assert.Throws<FileNotFoundException>(() => TextTokenizer.Load("/no/such.model")).Message);
        Assert.Contains("is a folder", Assert.Throws<InvalidDataException>(() => TextTokenizer.Load(Path.GetTempPath())).Message);
    }

    [Fact]
    public void What_is_no_model_is_refused()
    {
        Refuses("holds no pieces", []);
        Refuses("is not a whole SentencePiece model", "これはモデルではない\n"u8.ToArray());
        Refuses("is not a whole SentencePiece model", "version https://git-lfs.github.com/spec/v1\n"u8.ToArray());
        Refuses("is not a whole SentencePiece model", new byte[1000]);
        Refuses("is not a whole SentencePiece model", [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]);                               // 4 GB in 6 bytes
        Refuses("is not a whole SentencePiece model", [0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01]); // 2^64 - 1
        Refuses("longer than 10 bytes", Enumerable.Repeat((byte)0xFF, 20).ToArray());
        Refuses("nested deeper", Enumerable.Repeat((byte)0x53, 100_000).ToArray()); // groups in groups
    }

    [Fact]
    public void A_model_cut_anywhere_is_refused()
    {
        var whole = File.ReadAllBytes(TokenizerCases.SmallModelPath("prefix-bytes"));
        for (var length = 0; length < whole.Length; length += 43)
            Assert.Throws<InvalidDataException>(() => ModelFile.Load(whole[..length]));
        Assert.Equal(504, ModelFile.Load(whole).VocabularySize);
    }

    [Fact]
    public void Flipped_bytes_are_refused_or_load_into_a_model_that_works()
    {
        var whole = File.ReadAllBytes(TokenizerCases.SmallModelPath("prefix-bytes"));
        var random = new Random(3);
        for (var i = 0; i < 200; i++)
        {
            var flipped = whole.ToArray();
            for (var flips = 0; flips <= random.Next(4); flips++)
                flipped[random.Next(flipped.Length)] = (byte)random.Next(256);
            try
            {
                var tokenizer = ModelFile.Load(flipped);
                tokenizer.Decode(tokenizer.Encode("ｶﾞ 朝の光か\u3099 \U0001F600\U0001F3FB <b>𠮷 ab　　Ａ"));
            }
            catch (InvalidDataException)
            {
            }
        }
    }

    [Fact]
    public void Models_of_other_algorithms_are_refused()
    {
        Refuses("it is a WORD model", ModelFile.WithUnknown().Piece("a", -1).Trainer(ModelType, 3).ToBytes());
        Refuses("it is a CHAR model", ModelFile.WithUnknown().Piece("a", -1).Trainer(ModelType, 4).ToBytes());
    }

    [Fact]
    public void Pieces_that_contradict_each_other_are_refused()
    {
        Refuses("it has no unknown piece", new ModelFile().Piece("a", -1).ToBytes());
        Refuses("both the unknown piece", ModelFile.WithUnknown().Piece("<u>", 0, ModelFile.Unknown).Piece("a", -1).ToBytes());
        Refuses("no piece that stands for text", ModelFile.WithUnknown().ToBytes());
        Refuses("piece 2 ('a') is there twice", ModelFile.WithUnknown().Piece("a", -1).Piece("a", -2).ToBytes());
        Refuses("piece 2 ('<s>') is there twice", ModelFile.WithUnknown().Piece("<s>", 0, ModelFile.Control).Piece("<s>", 0, ModelFile.Control).ToBytes());
        Refuses("piece 1 is empty", ModelFile.WithUnknown().Piece("", -1).ToBytes());
        Refuses("piece 1 is not UTF-8 text", ModelFile.WithUnknown().Piece("a\0b", -1).ToBytes());
        Refuses("piece 1 has 20000 bytes", ModelFile.WithUnknown().Piece(new string('a', 20000), -1).ToBytes());
        Refuses("byte fallback is off", ModelFile.WithUnknown().Piece("a", -1).BytePieces().ToBytes());
        Refuses("0 byte pieces of 256", ModelFile.WithUnknown().Piece("a", -1).Trainer(ByteFallback, 1).ToBytes());
        Refuses("('<0xZZ>') is no byte", ModelFile.WithUnknown().Piece("a", -1).Piece("<0xZZ>", 0, ModelFile.Byte).Trainer(ByteFallback, 1).ToBytes());
    }

    [Fact]
    public void Normalization_rules_whose_sizes_do_not_fit_are_refused()
    {
        Refuses("too short", ModelFile.WithUnknown().Piece("a", -1).Rules([1, 2, 3]).ToBytes());
        Refuses("claim a trie of 4294967295 bytes", ModelFile.WithUnknown().Piece("a", -1).Rules([255, 255, 255, 255, 0, 0, 0, 0]).ToBytes());
    }

    [Fact]
    public void Normalization_rules_of_random_bytes_never_lead_outside_their_table()
    {
        var random = new Random(4);
        for (var i = 0; i < 30; i++)
        {
            var rules = new byte[4 + 1024 + 64];
            random.NextBytes(rules);
            rules[0] = rules[2] = rules[3] = 0;
            rules[1] = 4; // a trie of 1,024 bytes
            var tokenizer = ModelFile.WithUnknown().Piece("a", -1).Rules(rules).Load();
            tokenizer.Encode(string.Concat(Enumerable.Range(0, 2000).Select(_ => (char)random.Next(0x10000))));
        }
    }
}
