using System.CommandLine;
using System.Text.Json;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;
using Streaming.Hosting.Evaluation;
using Streaming.Hosting.Generation;
using Streaming.Hosting.Runs;
using Streaming.Model;
using Streaming.Model.Generation;
using Streaming.Streams;
using Streaming.Streams.Instructions;
using Streaming.Streams.Sources;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming evaluate</c>: loss and perplexity of a model on text, and its score at tasks; without a model, a running daemon evaluates its own.</summary>
internal static class EvaluateCommand
{
    public static Command Create()
    {
        var configuration = new ConfigurationOptions();
        var model = new ModelArguments($"{ModelArguments.Folders} Without it, the running daemon evaluates on its held-out text after the step under way.", isRequired: false);
        var source = new Option<string[]>("--source") { Description = "File, folder, glob or URL to evaluate on, whole; left out, the held-out share of the configured sources (of the run's own where --model is a run). Repeatable.", HelpName = "S", DefaultValueFactory = _ => [] };
        var most = NumberOption.Of("--max-batches", "Batches at most; 0 takes all.", 0, 0, int.MaxValue);
        var answers = NumberOption.Of("--answers", "Where the sources hold instructions: answer so many of the records too, and compare.", 0, 0, int.MaxValue);
        var task = new Option<string[]>("--task") { Description = "JSON Lines file of questions (JCommonsenseQA's, JSQuAD's shape, or instructions) instead of text. Repeatable.", HelpName = "file", DefaultValueFactory = _ => [] };
        var shots = NumberOption.Of("--shots", "Worked examples before each question.", 0, 0, int.MaxValue);
        var shotsFile = new Option<string?>("--shots-file") { Description = "Where worked examples come from; left out, the first records of the task, which are then not asked.", HelpName = "file" };
        var form = new Option<string?>("--form") { Description = "Form of a question up to its answer, with {question}, {context}, {choices}; \\n is a line's end.", HelpName = "text" };
        var answer = NumberOption.Of("--max-answer-tokens", "Tokens of a generated answer at most.", 32, 1, int.MaxValue);
        var json = new Option<bool>("--json") { Description = "One JSON object a result." };
        var command = new Command("evaluate", "Loss and perplexity of a model on text, or its score at tasks: multiple choice by likelihood, other answers by exact match of what is generated.")
        {
            source, most, answers, task, shots, shotsFile, form, answer, json,
        };
        model.AddTo(command);
        configuration.AddTo(command);
        var client = new RunClient.Options();
        client.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            if (parsed.GetValue(model.Model) is null)
                return await EvaluateRunAsync(client, parsed, [.. model.Others, source, most, answers, task, shots, shotsFile, form, answer, json], cancellation).ConfigureAwait(false);
            var folder = model.Open(parsed);
            var report = new ScoreReport(parsed.InvocationConfiguration.Output, parsed.GetValue(json));
            try
            {
                if (parsed.GetRequiredValue(task) is { Length: > 0 } tasks)
                {
                    using var decoder = Decoder(model, parsed, folder);
                    foreach (var file in tasks)
                    {
                        var (records, prompt) = Prepare(TaskRecord.ReadFile(file), file, parsed.GetValue(shots), parsed.GetValue(shotsFile), parsed.GetValue(form));
                        report.Print(file, TaskEvaluation.Run(folder, decoder, records, prompt, AnswerTokens(decoder), cancellation));
                    }
                    return ExitCodes.Done;
                }
                var options = Options(configuration, parsed, model, folder, parsed.GetRequiredValue(source));
                if (parsed.GetValue(answers) > 0 && options.Data.Instructions is null)
                    throw new UserErrorException("--answers is about instructions, and the sources hold text; set data.format to instructions, or ask with --task.");
                var split = options.Data.ValidationFraction > 0 ? Split.Validation : Split.Train;
                using (var engine = EngineFactory.Create(options, notice => parsed.InvocationConfiguration.Error.WriteLine($"streaming: {notice}")))
                    report.Print(TextEvaluation.Run(engine, options.Data.WithEpochs(1), split, parsed.GetValue(most), cancellation));
                if (parsed.GetValue(answers) > 0)
                {
                    using var decoder = Decoder(model, parsed, folder);
                    List<TaskRecord> records = [.. InstructionRecord.Read(options.Data, split, cancellation).Take(parsed.GetValue(answers)).Select(TaskRecord.Of)];
                    report.Print("held-out instructions", TaskEvaluation.Run(folder, decoder, records, new TaskPrompt(TaskPrompt.AnswerForm, "", []), AnswerTokens(decoder), cancellation));
                }
            }
            catch (Exception mistake) when (mistake is ModelException or IOException && !Directory.Exists(folder.Path))
            {
                throw new UserErrorException($"--model: {folder.Path} was removed while it was being read, as a run does with checkpoints beyond training.save-total-limit; evaluate again, the newest is taken then.", ExitCodes.Failed);
            }
            catch (Exception mistake) when (mistake is ModelException or RunRefusedException or SourceException or InvalidDataException)
            {
                throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
            }
            return ExitCodes.Done;

            int AnswerTokens(IDecoder decoder) => Math.Min(parsed.GetValue(answer), decoder.ContextLength / 2);
        });
        return command;
    }

    private static IDecoder Decoder(ModelArguments model, ParseResult parsed, ModelFolder folder) =>
        model.Decoder(parsed, folder, slots: 8, Math.Min(folder.Config.MaxPositions, 8192));

    private static Task<int> EvaluateRunAsync(RunClient.Options client, ParseResult parsed, Option[] ofModels, CancellationToken cancellation)
    {
        if (ofModels.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } given)
            throw new UserErrorException($"{given.Name} is about a model: name it with --model.");
        return ControlCommands.SendAsync(client, parsed, "evaluate", new Dictionary<string, object?>(), cancellation);
    }

    private static RunOptions Options(ConfigurationOptions configuration, ParseResult parsed, ModelArguments model, ModelFolder folder, string[] sources)
    {
        var compute = model.ComputeOf(parsed);
        var more = new List<Assignment>
        {
            new($"{Keys.ModelConfig.Path}={Path.Combine(folder.Home, "config.json")}", "--model"),
            new($"{Keys.Weights.Path}={folder.Path}", "--model"),
            new($"{Keys.Tokenizer.Path}={folder.TokenizerPath}", "--tokenizer"),
            new($"{Keys.LoraRank.Path}=none", "--model"), // adapters of the folder are merged
        };
        if (compute.Device != "auto")
            more.Add(new($"{Keys.Device.Path}={compute.Device}", "--device"));
        if (compute.Libtorch != "auto")
            more.Add(new($"{Keys.Libtorch.Path}={compute.Libtorch}", "--libtorch"));
        if (sources.Length > 0)
        {
            more.Add(new($"{Keys.Sources.Path}=[{string.Join(", ", sources.Select(path => JsonSerializer.Serialize(path)))}]", "--source"));
            more.Add(new($"{Keys.ValidationFraction.Path}=0", "--source"));
            more.Add(new($"{Keys.InstructionsHeldOut.Path}=0", "--source"));
        }
        // A tuned model is scored in the template that it was tuned in, which its folder knows.
        if (folder.IsTuned)
        {
            more.Add(new($"{Keys.PromptWithInput.Path}={HoconWriter.Quote(folder.Template.WithInput)}", "--model"));
            more.Add(new($"{Keys.PromptWithoutInput.Path}={HoconWriter.Quote(folder.Template.WithoutInput)}", "--model"));
        }
        var ofRun = Path.Combine(model.PathOf(parsed), ResolvedConfiguration.FileName);
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
}
