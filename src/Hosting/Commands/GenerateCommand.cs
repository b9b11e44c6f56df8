using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming generate</c>: continues texts with a trained model.</summary>
internal static class GenerateCommand
{
    private const int MostAtOnce = 16; // texts of a batch on the CPU, which bounds its memory

    private static readonly JsonSerializerOptions _format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var model = new ModelArguments();
        var prompts = new Option<string[]>("--prompt", "-p") { Description = "Text to continue. Repeatable: all are continued at once.", HelpName = "text", DefaultValueFactory = _ => [] };
        var instructions = new Option<string[]>("--instruction", "-i") { Description = "Something that a tuned model is asked to do: put in the model's own template, and the answer alone is shown. Repeatable.", HelpName = "text", DefaultValueFactory = _ => [] };
        var inputs = new Option<string[]>("--input") { Description = "The text that an instruction is about; the first one belongs to the first instruction, and so on.", HelpName = "text", DefaultValueFactory = _ => [] };
        var file = new Option<string?>("--prompts") { Description = "File with a prompt a line; - reads standard input.", HelpName = "file" };
        var json = new Option<bool>("--jsonl") { Description = "One JSON object a prompt instead of text, in the prompts' order." };
        var timings = new Option<bool>("--timings") { Description = "Say on standard error how fast it was." };
        var generation = new GenerationArguments();
        var command = new Command("generate", "Continue texts with a trained model. A text appears as it comes; with beams, when it is whole.") { prompts, instructions, inputs, file, json, timings };
        model.AddTo(command);
        generation.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            var folder = model.Open(parsed);
            var options = generation.Read(parsed, folder);
            var texts = Prompts.Read(folder, parsed.GetRequiredValue(prompts), parsed.GetValue(file), parsed.GetRequiredValue(instructions), parsed.GetRequiredValue(inputs));
            using var stop = new Interruption();
            var slots = options.Beams > 1 ? options.Beams : Math.Min(texts.Count, MostAtOnce);
            var context = (int)Math.Min(folder.Config.MaxPositions, texts.Max(text => text.Ids.Length) + (long)options.MaxNewTokens);
            using var decoder = model.Decoder(parsed, folder, slots, context);
            var run = new PromptRun(folder, decoder, options, generation.Stops(parsed));
            var output = parsed.InvocationConfiguration.Output;
            var shown = texts.Count - parsed.GetRequiredValue(instructions).Length;
            var tokens = Print(run, texts, shown, parsed.GetValue(json), options.Seed, output, stop, out var elapsed);
            if (parsed.GetValue(timings))
                parsed.InvocationConfiguration.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{tokens} tokens in {elapsed.TotalSeconds:F2} s, {tokens / elapsed.TotalSeconds:F1} tokens/s; the first after {run.FirstToken?.TotalMilliseconds:F0} ms"));
            return Task.FromResult(stop.Signal is { } signal ? ExitCodes.StoppedBy(signal) : ExitCodes.Done);
        });
        return command;
    }

    /// <param name="shown">So many of the prompts are texts, which are shown with what follows; the rest are instructions.</param>
    private static long Print(PromptRun run, IReadOnlyList<(string Text, int[] Ids)> prompts, int shown, bool json, long seed, TextWriter output, Interruption stop, out TimeSpan elapsed)
    {
        var began = Stopwatch.GetTimestamp();
        long tokens = 0;
        var whole = new GeneratedText?[prompts.Count];
        var next = 0; // prompts whose output is written
        var live = prompts.Count == 1 && !json;
        if (live && shown > 0)
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
                Write(live ? "\n" : $"{(index > 0 ? "\n" : "")}{(index < shown ? done.Prompt : "")}{done.Text}\n");
        }
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
