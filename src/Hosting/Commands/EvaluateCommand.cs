using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Evaluation;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Runs;
using Streaming.Hosting.Terminal;
using Streaming.Model;
using Streaming.Streams;
using Streaming.Streams.Sources;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming evaluate</c>: loss and perplexity of a model on text, and its score at tasks; without a model, a running daemon evaluates its own.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var configuration = new ConfigurationOptions();
        var model = new Option<string?>("--model", "-m") { Description = "Folder of the model: a checkpoint, a run (its newest checkpoint), or any Mistral folder of Transformers. Without it, the running daemon evaluates on its held-out text after the step under way.", HelpName = "folder" };
        var tokenizer = new Option<string?>("--tokenizer", "-t") { Description = "SentencePiece model or tokenizer.json; the folder's where left out.", HelpName = "file" };
        var source = new Option<string[]>("--source") { Description = "File, folder, glob or URL to evaluate on, whole; left out, the held-out share of the configured sources (of the run's own where --model is a run). Repeatable.", HelpName = "S", DefaultValueFactory = _ => [] };
        var most = new Option<long>("--max-batches") { Description = "Batches at most; 0 takes all.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var task = new Option<string[]>("--task") { Description = "JSON Lines file of questions (JCommonsenseQA's, JSQuAD's shape) instead of text. Repeatable.", HelpName = "file", DefaultValueFactory = _ => [] };
        var shots = new Option<int>("--shots") { Description = "Worked examples before each question.", HelpName = "N", DefaultValueFactory = _ => 0 };
        var shotsFile = new Option<string?>("--shots-file") { Description = "Where worked examples come from; left out, the first records of the task, which are then not asked.", HelpName = "file" };
        var form = new Option<string?>("--form") { Description = "Form of a question up to its answer, with {question}, {context}, {choices}; \\n is a line's end.", HelpName = "text" };
        var answer = new Option<int>("--max-answer-tokens") { Description = "Tokens of a generated answer at most.", HelpName = "N", DefaultValueFactory = _ => 32 };
        var json = new Option<bool>("--json") { Description = "One JSON object a result." };
        var command = new Command("evaluate", "Loss and perplexity of a model on text, or its score at tasks: multiple choice by likelihood, other answers by exact match of what is generated.")
        {
            model, tokenizer, source, most, task, shots, shotsFile, form, answer, json,
        };
        configuration.AddTo(command);
        var client = new RunClient.Options();
        client.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            if (parsed.GetValue(model) is not { } path)
                return await EvaluateRunAsync(client, parsed, [tokenizer, source, most, task, shots, shotsFile, form, answer, json], cancellation).ConfigureAwait(false);
            var folder = ModelFolder.Open(path, parsed.GetValue(tokenizer));
            if (parsed.GetValue(shots) < 0 || parsed.GetValue(most) < 0 || parsed.GetValue(answer) < 1)
                throw new UserErrorException("--shots and --max-batches must be 0 or more, --max-answer-tokens 1 or more.");
            var output = parsed.InvocationConfiguration.Output;
            try
            {
                if (parsed.GetRequiredValue(task) is { Length: > 0 } tasks)
                {
                    using var decoder = Decoders.Open(folder, "auto", slots: 8, Math.Min(folder.Config.MaxPositions, 8192));
                    foreach (var file in tasks)
                    {
                        var (records, prompt) = Prepare(TaskRecord.ReadFile(file), file, parsed.GetValue(shots), parsed.GetValue(shotsFile), parsed.GetValue(form));
                        Print(file, TaskEvaluation.Run(folder, decoder, records, prompt, Math.Min(parsed.GetValue(answer), decoder.ContextLength / 2), cancellation), parsed.GetValue(json), output);
                    }
                    return ExitCodes.Done;
                }
                var options = Options(configuration, parsed, folder, path, parsed.GetRequiredValue(source));
                using var engine = EngineFactory.Create(options, notice => parsed.InvocationConfiguration.Error.WriteLine($"streaming: {notice}"));
                var split = options.Data.ValidationFraction > 0 ? Split.Validation : Split.Train;
                var score = await TextEvaluation.RunAsync(engine, options.Data.WithEpochs(1), split, parsed.GetValue(most), cancellation).ConfigureAwait(false);
                Print(score, parsed.GetValue(json), output);
            }
            catch (Exception mistake) when (mistake is ModelException or RunRefusedException or SourceException or InvalidDataException)
            {
                throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
            }
            return ExitCodes.Done;
        });
        return command;
    }

    private static Task<int> EvaluateRunAsync(RunClient.Options client, ParseResult parsed, Option[] ofModels, CancellationToken cancellation)
    {
        if (ofModels.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } given)
            throw new UserErrorException($"{given.Name} is about a model: name it with --model.");
        return ControlCommands.SendAsync(client, parsed, "evaluate", new Dictionary<string, object?>(), cancellation);
    }

    private static RunOptions Options(ConfigurationOptions configuration, ParseResult parsed, ModelFolder folder, string model, string[] sources)
    {
        var more = new List<Assignment>
        {
            new($"{Keys.ModelConfig.Path}={Path.Combine(folder.Path, "config.json")}", "--model"),
            new($"{Keys.Weights.Path}={folder.Path}", "--model"),
            new($"{Keys.Tokenizer.Path}={folder.TokenizerPath}", "--tokenizer"),
        };
        if (sources.Length > 0)
        {
            more.Add(new($"{Keys.Sources.Path}=[{string.Join(", ", sources.Select(path => JsonSerializer.Serialize(path)))}]", "--source"));
            more.Add(new($"{Keys.ValidationFraction.Path}=0", "--source"));
        }
        var ofRun = Path.Combine(model, "config.hocon");
        return RunOptionsBuilder.Build(configuration.Load(parsed, File.Exists(ofRun) ? ofRun : null, more));
    }

    private static (IReadOnlyList<TaskRecord> Records, TaskPrompt Prompt) Prepare(IReadOnlyList<TaskRecord> records, string file, int shots, string? shotsFile, string? form)
    {
        var examples = shotsFile is null ? records : TaskRecord.ReadFile(shotsFile);
        if (examples.Count < shots || (shotsFile is null && examples.Count == shots))
            throw new UserErrorException($"--shots: {shots} worked examples were asked for, {shotsFile ?? file} has {examples.Count} records; give fewer, or --shots-file.");
        var asked = shotsFile is null ? [.. records.Skip(shots)] : records;
        var text = form?.Replace("\\n", "\n", StringComparison.Ordinal) ?? (records[0].IsChoice ? TaskPrompt.ChoiceForm : TaskPrompt.AnswerForm);
        if (!text.Contains("{question}", StringComparison.Ordinal))
            throw new UserErrorException($"--form must hold {{question}}, was {text.ReplaceLineEndings(" ")}.");
        return (asked, new TaskPrompt(text, "\n\n", [.. examples.Take(shots)]));
    }

    /// <summary>In the words of Transformers' <c>run_clm.py</c>.</summary>
    private static void Print(TextScore score, bool json, TextWriter output)
    {
        if (score.Predictions == 0)
            throw new UserErrorException("there is nothing to evaluate on: the text fills no block; give more with --source, or set data.block-size lower or data.validation-fraction higher.");
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(new
            {
                eval_loss = score.Loss,
                perplexity = score.Perplexity,
                eval_samples = score.Samples,
                eval_tokens = score.Predictions,
                eval_runtime = score.Elapsed.TotalSeconds,
            }));
            return;
        }
        output.WriteLine("***** eval metrics *****");
        foreach (var (name, value) in new[]
        {
            ("eval_loss", score.Loss.ToString("F4", CultureInfo.InvariantCulture)),
            ("eval_runtime", Quantity.Time(score.Elapsed)),
            ("eval_samples", Quantity.Count(score.Samples)),
            ("eval_tokens", Quantity.Count(score.Predictions)),
            ("perplexity", score.Perplexity.ToString("F4", CultureInfo.InvariantCulture)),
        })
            output.WriteLine($"  {name,-12} = {value,12}");
    }

    private static void Print(string file, TaskScore score, bool json, TextWriter output)
    {
        if (json)
        {
            output.WriteLine(JsonSerializer.Serialize(new
            {
                task = file,
                questions = score.Questions,
                acc = score.Accuracy,
                acc_norm = score.AccuracyPerCharacter,
                exact_match = score.ExactMatch,
                f1 = score.F1,
            }));
            return;
        }
        output.WriteLine($"{file}: {Quantity.Count(score.Questions)} questions");
        foreach (var (name, value) in new[] { ("acc", score.Accuracy), ("acc_norm", score.AccuracyPerCharacter), ("exact_match", score.ExactMatch), ("f1", score.F1) })
        {
            if (value is { } share)
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-12} = {share,12:F4}"));
        }
    }
}
