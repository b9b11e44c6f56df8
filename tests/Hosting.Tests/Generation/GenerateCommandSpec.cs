using System.Text.Json;
using Streaming.Hosting.Commands;
using Streaming.Streams.Instructions;

namespace Streaming.Hosting.Tests.Generation;

public sealed class GenerateCommandSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("generate-").FullName;

    public GenerateCommandSpec() => TinyModel.Write(_folder);

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_same_seed_writes_the_same_text_after_the_prompt()
    {
        var (code, first, _) = await Run("--prompt", "日本の", "--seed", "1", "--max-new-tokens", "20");
        Assert.Equal(0, code);
        Assert.StartsWith("日本の", first);
        Assert.Equal(first, (await Run("--prompt", "日本の", "--seed", "1", "--max-new-tokens", "20")).Output);
        Assert.NotEqual(first, (await Run("--prompt", "日本の", "--seed", "2", "--max-new-tokens", "20")).Output);
    }

    [Fact]
    public async Task Several_prompts_come_in_their_order_and_greedily_as_each_alone()
    {
        string[] greedy = ["--greedy", "--max-new-tokens", "9", "--jsonl"];
        var (_, together, _) = await Run(["--prompt", "日本の", "--prompt", "むかしむかし、あるところに", .. greedy]);
        var alone = (await Run(["--prompt", "日本の", .. greedy])).Output + (await Run(["--prompt", "むかしむかし、あるところに", .. greedy])).Output;
        string[] Texts(string output) => [.. output.Split('\n').SkipLast(1).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("text").GetString()!)];

        Assert.Equal(2, Texts(together).Length);
        Assert.Equal(Texts(alone), Texts(together));
    }

    [Fact]
    public async Task Beams_are_as_wide_as_asked_and_bad_words_never_come()
    {
        var (code, text, _) = await Run("--prompt", "日本の", "--num-beams", "3", "--greedy", "--max-new-tokens", "8", "--ignore-eos");
        Assert.Equal(0, code);
        var word = text["日本の".Length..].Trim()[..1];
        var (_, without, _) = await Run("--prompt", "日本の", "--num-beams", "3", "--greedy", "--max-new-tokens", "8", "--ignore-eos", "--bad-word", word);
        Assert.NotEqual(text, without);
    }

    [Fact]
    public async Task A_stop_string_ends_the_text_and_is_not_shown()
    {
        var (_, whole, _) = await Run("--prompt", "日本の", "--seed", "1", "--max-new-tokens", "20", "--ignore-eos");
        var stop = whole["日本の".Length..].TrimEnd('\n')[2..4];
        var (_, text, _) = await Run("--prompt", "日本の", "--seed", "1", "--max-new-tokens", "20", "--ignore-eos", "--stop", stop);
        Assert.Equal(whole[..whole.IndexOf(stop, 3, StringComparison.Ordinal)] + "\n", text);
    }

    [Fact]
    public async Task An_instruction_is_put_in_the_models_template_and_the_answer_alone_is_shown()
    {
        foreach (var (name, bytes) in InstructionFiles.Make(new InstructionTemplate("{instruction}は{input}の", "{instruction}の")))
            File.WriteAllBytes(Path.Combine(_folder, name), bytes);
        string[] greedy = ["--greedy", "--max-new-tokens", "9"];
        var (_, continued, _) = await Run(["--prompt", "日本の", .. greedy]);
        Assert.Equal((0, continued["日本の".Length..], ""), await Run(["--instruction", "日本", .. greedy]));

        var (_, json, _) = await Run(["-i", "日本", "-i", "猫", "--input", "犬", .. greedy, "--jsonl"]);
        Assert.Equal(["日本は犬の", "猫の"], json.Split('\n').SkipLast(1).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("prompt").GetString()));

        File.WriteAllText(Path.Combine(_folder, InstructionTemplate.FileName), "[]");
        var (code, _, errors) = await Run(["--instruction", "日本"]);
        Assert.Equal(2, code);
        Assert.Matches("^streaming: --model: .*instructions.json must be an object with the texts .*\n$", errors);
    }

    [Theory]
    [InlineData("--instruction: instruction 1 is empty; give it some text.", "--instruction", "")]
    [InlineData("--input was given 1 times and --instruction 0; an input belongs to an instruction.", "--prompt", "a", "--input", "b")]
    [InlineData("--libtorch: torch.libtorch = /nowhere holds no libtorch_cpu.so: give the torch/lib folder of an installed PyTorch, or auto, or bundled.", "--prompt", "a", "--libtorch", "/nowhere")]
    [InlineData("--prompt: prompt 1 is empty; give it some text.", "--prompt", "")]
    [InlineData("there is no text to continue; give one with --prompt, or a file of them with --prompts.")]
    [InlineData("--temperature: temperature must be a number from 0 to 100, was -1.", "--prompt", "a", "--temperature", "-1")]
    [InlineData("--top-p: top_p must be a number above 0, at most 1, was 2.", "--prompt", "a", "--top-p", "2")]
    [InlineData("--prompts: /nowhere cannot be read: Could not find file '/nowhere'.", "--prompts", "/nowhere")]
    [InlineData("--stop must be a text, was empty; leave it out to stop at nothing.", "--prompt", "a", "--stop", "")]
    public async Task A_mistake_is_one_sentence(string sentence, params string[] arguments) =>
        Assert.Equal((2, "", $"streaming: {sentence}\n"), await Run(arguments));

    [Fact]
    public async Task A_prompt_that_fills_the_context_is_refused()
    {
        var (code, _, errors) = await Run("--prompt", string.Concat(Enumerable.Repeat("鬱", 200)));
        Assert.Equal(2, code);
        Assert.Matches("^streaming: --prompt: the prompt has [0-9]+ tokens, the context holds 200, of which one must be left for an answer; shorten the prompt[.]\n$", errors);
    }

    [Fact]
    public async Task A_folder_that_holds_no_usable_model_is_refused_with_what_is_wrong()
    {
        async Task Refused(string part)
        {
            var (code, output, errors) = await Run("--prompt", "a");
            Assert.Equal((2, ""), (code, output));
            Assert.StartsWith("streaming: --", errors);
            Assert.Contains(part, errors);
            Assert.Equal(1, errors.Count(character => character == '\n'));
        }
        var weights = Path.Combine(_folder, "model.safetensors");
        using (var file = File.OpenWrite(weights))
            file.SetLength(file.Length - 100);
        await Refused("the file is cut short; copy or download it again");
        File.Delete(weights);
        await Refused("holds neither model.safetensors nor model.safetensors.index.json");
        File.Delete(Path.Combine(_folder, "tokenizer.model"));
        await Refused("holds no tokenizer.model");
        File.WriteAllText(Path.Combine(_folder, "config.json"), """{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2"}""");
        await Refused("architectures must be MistralForCausalLM or MixtralForCausalLM, was GPT2LMHeadModel");
        File.Delete(Path.Combine(_folder, "config.json"));
        await Refused("holds no config.json; give a folder as Transformers writes it, a checkpoint, or a run");
        Directory.Delete(_folder, recursive: true);
        await Refused("there is no folder");
        Directory.CreateDirectory(_folder);
    }

    private async Task<(int Code, string Output, string Errors)> Run(params string[] arguments)
    {
        var (output, errors) = (new StringWriter(), new StringWriter());
        var code = await CommandLine.RunAsync(Root.Create(), ["generate", "--model", _folder, "--threads", "1", .. arguments], output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
