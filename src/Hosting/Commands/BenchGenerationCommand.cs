using System.CommandLine;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Generation;
using Streaming.Model;
using Streaming.Model.Generation;
using Streaming.Model.Generation.Host;
using Streaming.Model.Measurement;
using Streaming.Model.Parameters;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming bench generation</c>: what generation does on this machine, beside the speed of its memory.</summary>
internal static class BenchGenerationCommand
{
    public static Command Create()
    {
        var model = new ModelArguments("Folder of a model, or a config.json, whose weights are then drawn at random.");
        var tokens = NumberOption.Of("--tokens", "Tokens added to each text.", 64, 1, 1 << 20);
        var prompt = NumberOption.Of("--prompt-tokens", "Tokens of the prompt that is timed.", 128, 1, 1 << 20);
        var texts = new Option<int[]>("--texts") { Description = "Numbers of texts at once.", HelpName = "N", DefaultValueFactory = _ => [1, 4, 8], AllowMultipleArgumentsPerToken = true };
        var command = new Command("generation", "Measure generation: the time of a prompt, tokens/s of greedy and drawn texts and of three beams, one JSON line; on the CPU beside the speed at which memory is read.")
        {
            tokens, prompt, texts,
        };
        model.AddTo(command, hasTokenizer: false);
        command.SetAction(parsed =>
        {
            var numbers = parsed.GetRequiredValue(texts);
            if (numbers.Length == 0 || numbers.Any(count => count is < 1 or > 4096))
                throw new UserErrorException("--texts must be whole numbers from 1 to 4096.");
            var (path, compute) = (model.PathOf(parsed), model.ComputeOf(parsed));
            var context = Math.Max(parsed.GetValue(prompt), 8) + parsed.GetValue(tokens) + 1;
            using var decoder = Open(path, compute, Math.Max(3, numbers.Max()), context);
            if (context > decoder.ContextLength)
                throw new UserErrorException($"--tokens: prompt and text need {context} tokens, the model holds {decoder.ContextLength}.");
            var measured = GenerationBenchmark.Run(decoder, parsed.GetValue(prompt), parsed.GetValue(tokens), numbers);
            var bandwidth = decoder is HostDecoder ? HostBandwidth.Measure(threads: compute.Threads) : (double?)null;
            var bytes = (decoder as HostDecoder)?.WeightBytesAToken;
            parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(new
            {
                decoder = decoder.GetType().Name,
                prompt_tok_s = Math.Round(measured.PromptTokensPerSecond, 1),
                first_token_ms = Math.Round(1000 * measured.FirstTokenSeconds, 2),
                greedy = Rates(measured.Steps),
                top_k50_top_p95 = Rates(measured.Drawn),
                drawn_of_all = Rates(measured.DrawnOfAll),
                beams3_sample_norepeat2_tok_s = measured.BeamTokensPerSecond is { } beams ? Math.Round(beams, 2) : (double?)null,
                read_gb_s = bandwidth is { } speed ? Math.Round(speed / 1e9, 2) : (double?)null,
                weights_gb = bytes / 1e9,
                share_of_memory_speed = bandwidth is { } limit && bytes is { } read && measured.Steps is [(1, var single), ..] ? Math.Round(single * read / limit, 3) : (double?)null,
            }));
            return ExitCodes.Done;
        });
        return command;
    }

    private static object Rates(IReadOnlyList<(int Texts, double TokensPerSecond)> steps) =>
        steps.Select(step => new { texts = step.Texts, tok_s = Math.Round(step.TokensPerSecond, 2) });

    private static IDecoder Open(string path, ComputeOptions compute, int slots, int context)
    {
        if (Directory.Exists(path))
            return Decoders.Open(ModelFolder.Open(path), compute, slots, context);
        try
        {
            var config = MistralConfig.Load(path);
            return Decoders.Copy(config, new RandomWeights(config, seed: 1), compute, slots, context);
        }
        catch (ModelException mistake)
        {
            throw new UserErrorException($"--model: {mistake.Message.TrimEnd('.')}.");
        }
    }
}
