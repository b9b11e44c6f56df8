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
        var model = new Option<string>("--model", "-m") { Description = "Folder of a model, or a config.json, whose weights are then drawn at random.", HelpName = "path", Required = true };
        var tokens = new Option<int>("--tokens") { Description = "Tokens added to each text.", HelpName = "N", DefaultValueFactory = _ => 64 };
        var prompt = new Option<int>("--prompt-tokens") { Description = "Tokens of the prompt that is timed.", HelpName = "N", DefaultValueFactory = _ => 128 };
        var texts = new Option<int[]>("--texts") { Description = "Numbers of texts at once.", HelpName = "N", DefaultValueFactory = _ => [1, 4, 8], AllowMultipleArgumentsPerToken = true };
        var device = new Option<string>("--device") { Description = "auto, cpu or cuda:N.", DefaultValueFactory = _ => "auto" };
        var threads = new Option<int>("--threads") { Description = "Threads on the CPU; 0 takes one for each core.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var command = new Command("generation", "Measure generation: the time of a prompt, tokens/s of greedy texts and of three beams, one JSON line; on the CPU beside the speed at which memory is read.")
        {
            model, tokens, prompt, texts, device, threads,
        };
        foreach (var option in new Option<int>[] { tokens, prompt })
            option.Validators.Add(result =>
            {
                if (result.GetValueOrDefault<int>() < 1)
                    result.AddError($"{option.Name} must be 1 or more.");
            });
        command.SetAction(parsed =>
        {
            var numbers = parsed.GetRequiredValue(texts);
            if (numbers.Length == 0 || numbers.Any(count => count is < 1 or > 4096))
                throw new UserErrorException("--texts must be whole numbers from 1 to 4096.");
            var path = parsed.GetRequiredValue(model);
            var context = Math.Max(parsed.GetValue(prompt), 8) + parsed.GetValue(tokens) + 1;
            using var decoder = Open(path, parsed.GetRequiredValue(device), Math.Max(3, numbers.Max()), context, parsed.GetValue(threads));
            if (context > decoder.ContextLength)
                throw new UserErrorException($"--tokens: prompt and text need {context} tokens, the model holds {decoder.ContextLength}.");
            var measured = GenerationBenchmark.Run(decoder, parsed.GetValue(prompt), parsed.GetValue(tokens), numbers);
            var bandwidth = decoder is HostDecoder ? HostBandwidth.Measure(threads: parsed.GetValue(threads)) : (double?)null;
            var bytes = (decoder as HostDecoder)?.WeightBytesAToken;
            parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(new
            {
                decoder = decoder.GetType().Name,
                prompt_tok_s = Math.Round(measured.PromptTokensPerSecond, 1),
                first_token_ms = Math.Round(1000 * measured.FirstTokenSeconds, 2),
                greedy = measured.Steps.Select(step => new { texts = step.Texts, tok_s = Math.Round(step.TokensPerSecond, 2) }),
                beams3_sample_norepeat2_tok_s = measured.BeamTokensPerSecond is { } beams ? Math.Round(beams, 2) : (double?)null,
                read_gb_s = bandwidth is { } speed ? Math.Round(speed / 1e9, 2) : (double?)null,
                weights_gb = bytes / 1e9,
                share_of_memory_speed = bandwidth is { } limit && bytes is { } read && measured.Steps is [(1, var single), ..] ? Math.Round(single * read / limit, 3) : (double?)null,
            }));
            return ExitCodes.Done;
        });
        return command;
    }

    private static IDecoder Open(string path, string device, int slots, int context, int threads)
    {
        if (Directory.Exists(path))
            return Decoders.Open(ModelFolder.Open(path), device, slots, context, threads);
        try
        {
            var config = MistralConfig.Load(path);
            return HostDecoder.Copy(config, new RandomWeights(config, seed: 1), slots, context, threads);
        }
        catch (ModelException mistake)
        {
            throw new UserErrorException($"--model: {mistake.Message.TrimEnd('.')}.");
        }
    }
}
