using Streaming.Hosting.Commands;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Tests.Commands;

public sealed class TokenizerCommandSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tokenizer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_tokenizer_of_the_sample_text_is_written_and_not_replaced_unasked()
    {
        var output = Path.Combine(_folder, "tokenizer");
        Assert.Equal((0, ""), await Train("--output", output, "--set", "tokenizer.vocab-size=2500"));
        var tokenizer = TextTokenizer.Load(Path.Combine(output, "tokenizer.model"));
        Assert.Equal(2500, tokenizer.VocabularySize);
        Assert.Equal(
            (2, $"streaming: {output} holds a tokenizer already (tokenizer.json); name another folder, or replace it with --force."),
            await Train("--output", output, "--set", "tokenizer.vocab-size=2500"));
        Assert.Equal((0, ""), await Train("--output", output, "--set", "tokenizer.vocab-size=2400", "--force"));
        Assert.Equal(2400, TextTokenizer.Load(Path.Combine(output, "tokenizer.model")).VocabularySize);
    }

    [Fact]
    public async Task What_cannot_be_trained_on_is_one_sentence_and_leaves_no_file()
    {
        var empty = Path.Combine(_folder, "empty.txt");
        File.WriteAllText(empty, "\n\n");
        var output = Path.Combine(_folder, "tokenizer");
        var (code, errors) = await Train("--output", output, "--set", $"data.sources=[\"{empty}\"]");
        Assert.Equal((2, "streaming: the sources hold no text to train on; name files with lines of text."), (code, errors));
        (code, errors) = await Train("--output", output, "--set", "data.sources=[/nowhere.txt]");
        Assert.Equal(2, code);
        Assert.StartsWith("streaming: /nowhere.txt does not exist;", errors);
        (code, errors) = await Train("--output", output); // 50,000 pieces
        Assert.Equal(2, code);
        Assert.Matches("^streaming: the text is too small for a vocabulary of 50000 pieces; ask for at most [0-9]+, or give more text[.]$", errors);
        Assert.Empty(Directory.EnumerateFileSystemEntries(output));
    }

    private static async Task<(int Code, string Errors)> Train(params string[] arguments)
    {
        var errors = new StringWriter();
        var code = await CommandLine.RunAsync(Root.Create(), ["tokenizer", "train", .. arguments], TextWriter.Null, errors);
        return (code, errors.ToString().TrimEnd());
    }
}
