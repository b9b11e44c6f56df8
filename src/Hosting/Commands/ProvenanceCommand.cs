using System.CommandLine;
using System.Text;
using System.Text.Json;
using Akka.Streams;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Streams.Batches;
using Streaming.Streams.Sources;
using Streaming.Streams.Tokenization;
using ActorSystem = Akka.Actor.ActorSystem;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming provenance</c>: which documents went into a step of a run.</summary>
internal static class ProvenanceCommand
{
    private const int TokensShown = 24;

    public static Command Create()
    {
        var run = new Option<string>("--run") { Description = "The run's folder.", HelpName = "folder", Required = true };
        var step = new Option<long>("--step") { Description = "The optimiser step.", HelpName = "N", Required = true };
        var config = new Option<string?>("--config", "-c") { Description = $"Configuration that the run was started with; without it the run's own {ResolvedConfiguration.FileName}, which leaves out what is secret in URLs.", HelpName = "file" };
        var json = new Option<bool>("--json") { Description = "A JSON object a line instead of a table." };
        var command = new Command("provenance", "Print which documents went into a step: the run's text is read again from the last cursor before it, which yields the same batches.") { run, step, config, json };
        command.SetAction((parsed, cancellation) => PrintAsync(
            parsed.GetRequiredValue(run), parsed.GetRequiredValue(step), parsed.GetValue(config), parsed.GetValue(json), parsed.InvocationConfiguration.Output, cancellation));
        return command;
    }

    private static async Task<int> PrintAsync(string run, long step, string? named, bool asJson, TextWriter output, CancellationToken cancellation)
    {
        var config = Path.Combine(run, ResolvedConfiguration.FileName);
        if (!File.Exists(config))
            throw new UserErrorException($"--run: {Path.GetFullPath(run)} is no run's folder, there is no {ResolvedConfiguration.FileName} in it.");
        if (step < 1)
            throw new UserErrorException($"--step must be 1 or more, was {step}.");
        var settings = SettingsLoader.Load(named ?? config, [], Environment.GetEnvironmentVariable);
        var data = RunOptionsBuilder.BuildData(settings);
        using var system = ActorSystem.Create("provenance", "akka { loglevel = WARNING, stdout-loglevel = OFF }");
        try
        {
            var tokenizer = TextTokenizer.Load(data.Tokenizer);
            var batches = await Provenance.OfStepAsync(run, data, settings.GetInt32(Keys.GradientAccumulationSteps), step, system.Materializer(), cancellation).ConfigureAwait(false);
            for (var index = 0; index < batches.Count; index++)
            {
                foreach (var document in batches[index].Documents!)
                    await output.WriteLineAsync(asJson ? Json(index, document) : Line(index, document, Beginning(tokenizer, batches[index], document))).ConfigureAwait(false);
            }
            return ExitCodes.Done;
        }
        catch (Exception mistake) when (mistake is SourceException or InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".", ExitCodes.Failed);
        }
    }

    private static string Line(int batch, BatchDocument document, string beginning)
    {
        var at = document.Position;
        var place = at.Line > 0 || at.Record == 0 ? $"line {at.Line + 1}" : $"record {at.Record}";
        return FormattableString.Invariant($"batch {batch} row {document.Row} tokens {document.Start}-{document.Start + document.Tokens - 1}  {document.Source}: {document.File} epoch {at.Epoch} {place} byte {at.Offset}{(at.Part > 0 ? $" part {at.Part}" : "")}  {beginning}");
    }

    private static string Json(int batch, BatchDocument document)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            document.WriteTo(json);
        return $"{{\"batch\":{batch},{Encoding.UTF8.GetString(bytes.ToArray())[1..]}";
    }

    /// <summary>The first words of a piece, as its tokens have them; nothing in it moves a terminal's cursor.</summary>
    private static string Beginning(TextTokenizer tokenizer, TokenBatch batch, BatchDocument document)
    {
        var decoder = tokenizer.CreateDecoder();
        var text = new StringBuilder();
        foreach (var token in batch.Tokens.AsSpan(document.Row * batch.BlockSize + document.Start, Math.Min(TokensShown, document.Tokens)))
            text.Append(decoder.Append(token));
        return string.Concat(text.Append(decoder.Finish()).ToString().Select(letter => char.IsControl(letter) ? ' ' : letter));
    }
}
