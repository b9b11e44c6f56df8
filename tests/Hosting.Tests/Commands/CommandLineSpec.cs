using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Control;

namespace Streaming.Hosting.Tests.Commands;

public sealed class CommandLineSpec
{
    [Theory]
    [InlineData("fly", "streaming: Unrecognized command or argument 'fly'; see streaming --help.")]
    [InlineData("train --colour", "streaming: Unrecognized command or argument '--colour'; see streaming --help.")]
    [InlineData("train --config", "streaming: Required argument missing for option: '--config'; see streaming --help.")]
    [InlineData("generate --model m --seed abc", "streaming: --seed must be a whole number, was abc; see streaming --help.")]
    [InlineData("generate --model m --max-new-tokens 99999999999", "streaming: --max-new-tokens must be a whole number of at most 2147483647, was 99999999999; see streaming --help.")]
    [InlineData("generate --model m --temperature hot", "streaming: --temperature must be a number, was hot; see streaming --help.")]
    [InlineData("evaluate --model m --shots -1", "streaming: --shots must be a whole number from 0 to 2147483647, was -1; see streaming --help.")]
    [InlineData("extract --kind wikipedia /nowhere", "streaming: /nowhere does not exist; check the path (it is looked up from HERE).")]
    [InlineData("tokenize --tokenizer /nowhere", "streaming: --tokenizer: /nowhere does not exist; give the .model file that spm_train wrote.")]
    [InlineData("config --set metrics.host=999.1.1.1", "streaming: streaming.metrics.host must be an IP address, localhost or \"*\", was 999.1.1.1 (--set).")]
    [InlineData("plan --set model.config=/dev/null", "streaming: streaming.model.config cannot be used: /dev/null is not JSON: The input does not contain any JSON tokens (line 1, byte 1) (--set).")]
    [InlineData("tokenize", "streaming: Option '--tokenizer' is required; see streaming --help.")]
    public async Task A_wrong_command_line_is_a_sentence_and_exit_code_2(string line, string expected)
    {
        var (code, output, errors) = await Run(line);
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Equal(expected.Replace("HERE", Environment.CurrentDirectory, StringComparison.Ordinal), errors.TrimEnd());
    }

    [Theory]
    [InlineData("file", "generate", "--model", "m", "--prompts", "")]
    [InlineData("file", "generate", "--model", "m", "--prompt", "a", "--tokenizer", "")]
    [InlineData("path", "export", "--model", "m", "--output", "")]
    [InlineData("folder", "serve", "--model", "")]
    [InlineData("folder", "train", "--base", "")]
    [InlineData("file", "evaluate", "--model", "m", "--task", "")]
    [InlineData("ds_config.json", "convert", "hf_config.json", "--deepspeed", "")]
    [InlineData("auto|bundled|folder", "generate", "--model", "m", "--prompt", "a", "--libtorch", "")]
    public async Task A_file_or_folder_without_a_name_is_a_sentence(string kind, params string[] line)
    {
        var errors = new StringWriter();
        Assert.Equal(2, await CommandLine.RunAsync(Root.Create(), line, TextWriter.Null, errors));
        Assert.Equal($"streaming: {line[^2]} is empty; give a {kind}.\n", errors.ToString());
    }

    [Theory]
    [InlineData("two\nlines of it and more")]
    [InlineData("トークントークントークン")]
    [InlineData("nul\0nul\0nul\0nul\0nul")]
    public async Task A_token_that_no_request_can_carry_is_a_sentence_for_client_and_daemon(string token)
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, token);
        var (code, _, errors) = await Run($"status --token-file {file}");
        Assert.Equal(2, code);
        Assert.StartsWith($"streaming: --token-file {file} holds no token, which is one word of letters, digits and signs;", errors);
        Assert.Contains("holds no token", Assert.Throws<UserErrorException>(() => ControlToken.Read(file)).Message);
        File.Delete(file);
    }

    [Fact]
    public async Task A_wrong_configuration_is_a_sentence_a_mistake_and_exit_code_2()
    {
        var (code, output, errors) = await Run("config --set training.max-stepz=5 --set data.block-size=0");
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Equal(
            """
            streaming: streaming.data.block-size must be an integer from 2 to 1048576 (tokens), was 0 (--set).
            streaming: streaming.training.max-stepz is no key; the nearest is streaming.training.max-steps (--set).
            """,
            errors.TrimEnd());
    }

    [Theory]
    [InlineData("--help", "train", "normalize", "tokenize", "extract", "config", "bench")]
    [InlineData("train --help", "--config", "--set", "--resume")]
    [InlineData("normalize --help", "--jsonl")]
    [InlineData("extract --help", "--kind", "--jsonl", "--headings", "--lists", "--min-line-characters")]
    [InlineData("tokenize --help", "--tokenizer", "--decode")]
    [InlineData("tokenizer train --help", "--config", "--output", "--force")]
    [InlineData("config --help", "--config", "--set", "--defaults")]
    [InlineData("bench --help", "pipeline")]
    [InlineData("bench pipeline --help", "--config", "--set")]
    public async Task Every_command_explains_itself(string line, params string[] expected)
    {
        var (code, output, _) = await Run(line);
        Assert.Equal(0, code);
        Assert.All(expected, word => Assert.Contains(word, output));
    }

    private static async Task<(int Code, string Output, string Errors)> Run(string line)
    {
        var output = new StringWriter();
        var errors = new StringWriter();
        var code = await CommandLine.RunAsync(Root.Create(), line.Split(' '), output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
