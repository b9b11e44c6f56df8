using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Runs;
using Streaming.Model.Generation;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming generate</c>: continues texts with a trained model.</summary>
internal static class GenerateCommand
{
    private const int MostAtOnce = 16; // texts of a batch on the CPU, which bounds its memory

    private static readonly JsonSerializerOptions _format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var model = new Option<string>("--model", "-m") { Description = "Folder of the model: a checkpoint, a run (its newest checkpoint), or any Mistral folder of Transformers.", HelpName = "folder", Required = true };
        var tokenizer = new Option<string?>("--tokenizer", "-t") { Description = "SentencePiece model or tokenizer.json; the folder's where left out.", HelpName = "file" };
        var prompts = new Option<string[]>("--prompt", "-p") { Description = "Text to continue. Repeatable: all are continued at once.", HelpName = "text", DefaultValueFactory = _ => [] };
        var file = new Option<string?>("--prompts") { Description = "File with a prompt a line; - reads standard input.", HelpName = "file" };
        var json = new Option<bool>("--jsonl") { Description = "One JSON object a prompt instead of text, in the prompts' order." };
        var timings = new Option<bool>("--timings") { Description = "Say on standard error how fast it was." };
        var device = new Option<string>("--device") { Description = "auto, cpu or cuda:N.", DefaultValueFactory = _ => "auto" };
        var threads = new Option<int>("--threads") { Description = "Threads on the CPU; 0 takes one for each core.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var generation = new GenerationArguments();
        var command = new Command("generate", "Continue texts with a trained model. A text appears as it comes; with beams, when it is whole.") { model, tokenizer, prompts, file, json, timings, device, threads };
        generation.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            var folder = ModelFolder.Open(parsed.GetRequiredValue(model), parsed.GetValue(tokenizer));
            var options = generation.Read(parsed, folder);
            var texts = Encode(folder, ReadPrompts(parsed.GetRequiredValue(prompts), parsed.GetValue(file)));
            if (parsed.GetValue(threads) is < 0 or > 1024)
                throw new UserErrorException($"--threads must be a whole number from 0 to 1024, was {parsed.GetValue(threads)}.");
            using var stop = new Interruption();
            var slots = options.Beams > 1 ? options.Beams : Math.Min(texts.Count, MostAtOnce);
            var context = (int)Math.Min(folder.Config.MaxPositions, texts.Max(text => text.Ids.Length) + (long)options.MaxNewTokens);
            using var decoder = Decoders.Open(folder, parsed.GetRequiredValue(device), slots, context, parsed.GetValue(threads));
            var run = new PromptRun(folder, decoder, options, generation.Stops(parsed));
            var output = parsed.InvocationConfiguration.Output;
            var tokens = Print(run, texts, parsed.GetValue(json), options.Seed, output, stop, out var elapsed);
            if (parsed.GetValue(timings))
                parsed.InvocationConfiguration.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{tokens} tokens in {elapsed.TotalSeconds:F2} s, {tokens / elapsed.TotalSeconds:F1} tokens/s; the first after {run.FirstToken?.TotalMilliseconds:F0} ms"));
            return Task.FromResult(stop.Signal is { } signal ? ExitCodes.StoppedBy(signal) : ExitCodes.Done);
        });
        return command;
    }

    private static long Print(PromptRun run, List<(string Text, int[] Ids)> prompts, bool json, long seed, TextWriter output, Interruption stop, out TimeSpan elapsed)
    {
        var began = Stopwatch.GetTimestamp();
        long tokens = 0;
        var whole = new GeneratedText?[prompts.Count];
        var next = 0; // prompts whose output is written
        var live = prompts.Count == 1 && !json;
        if (live)
            Write(prompts[0].Text);
        try
        {
            run.Run(prompts, (_, text) => Write(live ? text : ""), (index, text) =>
            {
                whole[index] = text;
                tokens += text.Tokens.Count;
                for (; next < whole.Length && whole[next] is { } done; next++)
                    WriteWhole(done, next);
            }, stop.Token);
        }
        catch (OperationCanceledException) when (stop.Signal is not null)
        {
            Write(live ? "\n" : "");
        }
        elapsed = Stopwatch.GetElapsedTime(began);
        return tokens;

        void Write(string text)
        {
            output.Write(text);
            output.Flush();
        }

        void WriteWhole(GeneratedText done, int index)
        {
            if (json)
                Write(JsonSerializer.Serialize(new
                {
                    prompt = done.Prompt,
                    text = done.Text,
                    prompt_tokens = done.PromptTokens,
                    tokens = done.Tokens.Count,
                    token_ids = done.Tokens,
                    finish_reason = done.Reason.ToString().ToLowerInvariant(),
                    seed = seed + index,
                }, _format) + "\n");
            else
                Write(live ? "\n" : $"{(index > 0 ? "\n" : "")}{done.Prompt}{done.Text}\n");
        }
    }

    private static List<string> ReadPrompts(string[] given, string? file)
    {
        var prompts = new List<string>(given);
        try
        {
            if (file is not null)
                prompts.AddRange(file == "-" ? ReadStandardInput() : File.ReadAllLines(file));
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"--prompts: {file} cannot be read: {failure.Message.TrimEnd('.')}.");
        }
        return prompts.Count > 0 ? prompts : throw new UserErrorException("there is no text to continue; give one with --prompt, or a file of them with --prompts.");
    }

    private static IEnumerable<string> ReadStandardInput()
    {
        using var reader = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8);
        while (reader.ReadLine() is { } line)
            yield return line;
    }

    private static List<(string Text, int[] Ids)> Encode(ModelFolder model, List<string> prompts)
    {
        var texts = new List<(string Text, int[] Ids)>();
        foreach (var prompt in prompts)
        {
            var ids = model.Encode(prompt);
            if (ids.Length == 0)
                throw new UserErrorException($"--prompt: prompt {texts.Count + 1} is empty; give it some text.");
            try
            {
                TextRequest.CheckPrompt(ids, model.Config, model.Config.MaxPositions);
            }
            catch (GenerationException mistake)
            {
                throw new UserErrorException($"--prompt: {mistake.Message}.");
            }
            texts.Add((prompt, ids));
        }
        return texts;
    }

    /// <summary>Ctrl-C and SIGTERM end the text where it is.</summary>
    private sealed class Interruption : IDisposable
    {
        private readonly CancellationTokenSource _source = new();
        private readonly PosixSignalRegistration[] _registrations;

        public Interruption()
        {
            StopSignals.HeedInterrupt();
            _registrations = [Register(PosixSignal.SIGINT, 2), Register(PosixSignal.SIGTERM, 15)];
        }

        public CancellationToken Token => _source.Token;

        public int? Signal { get; private set; }

        private PosixSignalRegistration Register(PosixSignal signal, int number) => PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            Signal = number;
            _source.Cancel();
        });

        public void Dispose()
        {
            foreach (var registration in _registrations)
                registration.Dispose();
            _source.Dispose();
        }
    }
}
