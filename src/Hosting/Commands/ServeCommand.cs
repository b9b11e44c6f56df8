using System.CommandLine;
using System.Runtime.InteropServices;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Http;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Serving;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming serve</c>: a model behind the OpenAI API.</summary>
internal static class ServeCommand
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(30); // for texts under way when the server is asked to end

    public static Command Create()
    {
        var model = new ModelArguments("Folder of the model: a checkpoint, a run (its newest checkpoint, changed over as it trains), or any Mistral folder of Transformers.");
        var name = new Option<string?>("--served-model-name") { Description = "By which clients name the model; the folder's name where left out.", HelpName = "name" };
        var host = new Option<string>("--host") { Description = "Address to listen on; * listens on all, and nothing there asks for a password.", DefaultValueFactory = _ => "127.0.0.1" };
        var port = NumberOption.Of("--port", "TCP port; 0 takes a free one and prints it.", 8000, 0, 65_535);
        var slots = NumberOption.Of("--slots", "Texts that are generated at once; 0 takes 8 on the CPU, and on a GPU up to 64, as far as a quarter of its free memory holds their keys and values.", 0, 0, 4096);
        var waiting = NumberOption.Of("--max-waiting", "Texts that wait for a slot; a request beyond is answered with 429.", 64, 0, 1_000_000);
        var context = NumberOption.Of("--context-length", "Tokens of a prompt and its answer together; the model's positions where those are fewer.", 4096, 2, 1 << 24);
        var command = new Command("serve", "Serve a model over HTTP as the OpenAI API: /v1/completions, /v1/chat/completions, /v1/models; /health and /metrics. SIGTERM and Ctrl-C end it after the texts under way.")
        {
            name, host, port, slots, waiting, context,
        };
        model.AddTo(command);
        host.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is var text && !AddressKind.Is(text ?? ""))
                result.AddError($"--host must be {AddressKind.Form}, was {text}");
        });
        command.SetAction((parsed, _) =>
        {
            var path = model.PathOf(parsed);
            return ServeAsync(
                new ServeOptions
                {
                    ModelPath = path,
                    Name = parsed.GetValue(name) ?? Path.GetFileName(Path.GetFullPath(path).TrimEnd('/')),
                    Tokenizer = model.TokenizerOf(parsed),
                    Compute = model.ComputeOf(parsed),
                    Slots = parsed.GetValue(slots),
                    MaxWaiting = parsed.GetValue(waiting),
                    ContextLength = parsed.GetValue(context),
                },
                new HttpEndpoint(parsed.GetRequiredValue(host), parsed.GetValue(port), "--host", "--port", "give a free one with --port (0 takes any)"),
                Screen.ForConsole());
        });
        return command;
    }

    private static async Task<int> ServeAsync(ServeOptions options, HttpEndpoint endpoint, Screen screen)
    {
        await using var hub = new ModelHub(options, screen.WriteLine);
        hub.Start();
        var api = new OpenAiApi(hub, new ServingMetrics(hub));
        await using var server = await HttpHost.StartAsync(endpoint, api.Map, CancellationToken.None).ConfigureAwait(false);
        screen.WriteLine($"serving {hub.Current.Model.Path} as '{options.Name}', {hub.Current.Slots} texts at once, {hub.Current.ContextLength} tokens of context: {new Uri(server.Address, "/v1")}");
        var ended = await EndAsync(hub).ConfigureAwait(false);
        if (ended is { } failure)
            throw new UserErrorException($"the model's thread failed: {failure.Message.TrimEnd('.')}.", ExitCodes.Failed);
        screen.WriteLine("ending: no new requests, the texts under way have half a minute.");
        await hub.DrainAsync(_patience).ConfigureAwait(false);
        await server.StopAsync(CancellationToken.None).ConfigureAwait(false);
        return ExitCodes.Done;
    }

    /// <summary>Waits for a signal, or for the failure of a model.</summary>
    private static async Task<Exception?> EndAsync(ModelHub hub)
    {
        var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        StopSignals.HeedInterrupt();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        await Task.WhenAny(signal.Task, hub.Failed).ConfigureAwait(false);
        return hub.Failed.Exception?.InnerException;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            if (!signal.TrySetResult())
                StopSignals.Exit(ExitCodes.StoppedBy(15)); // a second signal ends at once
        }
    }
}
