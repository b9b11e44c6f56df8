using System.Globalization;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;
using Streaming.Streams.Tokenization;

namespace Streaming.Hosting.Conversion;

/// <summary>Text, model, evaluation, checkpoints and the machine.</summary>
internal sealed partial class TrainerConversion
{
    private const double HeldOutBesideFile = 0.01;

    // The recipe's shape: where the arguments name none on this machine.
    private const string StandInModel = "models/mistral-300m/config.json";

    private void ConvertData()
    {
        if (given.Text("train_file") is { } file)
        {
            var path = Locate(file);
            var origin = given.Find("train_file")!.Origin;
            var extension = Path.GetExtension(file).ToLowerInvariant();
            if (extension == ".csv")
                given.NoCounterpart("train_file", "comma-separated values are not read; make a text file, JSON Lines or Parquet of it");
            else
                given.Became("train_file", result.Set(Keys.Sources, new ConfigurationList([Source(path, extension, origin)], origin), "train_file"));
        }
        foreach (var name in new[] { "dataset_name", "dataset_config_name" })
            given.NoCounterpart(name, "nothing is downloaded from the hub; name files, folders or URLs in data.sources");
        given.NoCounterpart("max_train_samples", "all text is taken; training.max-steps ends the run");

        if (given.Text("validation_file") is not null)
        {
            result.Set(Keys.ValidationFraction, HeldOutBesideFile, _origin, "in place of validation_file");
            given.NoCounterpart("validation_file", string.Create(CultureInfo.InvariantCulture,
                $"evaluation during training is on text held out of data.sources, for which data.validation-fraction = {HeldOutBesideFile} stands in; \"streaming evaluate --model DIR --source FILE\" measures on the file"));
            given.NoMeaning("validation_split_percentage", "there is a validation_file");
        }
        else
        {
            var percentage = given.Number("validation_split_percentage") ?? 5;
            Note("validation_split_percentage", given.Find("validation_split_percentage") is null, ConvertedConfiguration.Write(percentage),
                result.Set(Keys.ValidationFraction, percentage / 100, given.Find("validation_split_percentage")?.Origin ?? _origin, "validation_split_percentage, in percent"));
        }
        if (given.Find("preprocessing_num_workers") is not null)
            Integer("preprocessing_num_workers", Keys.Workers, 0);
        if (given.Find("dataloader_prefetch_factor") is not null)
            Integer("dataloader_prefetch_factor", Keys.QueueCapacity, 2);
        // run_clm.py takes lines as they are.
        result.Set(Keys.Normalize, options.Normalize ? "true" : "false", _origin, options.Normalize ? "--normalize" : "run_clm.py takes lines as they are; true for raw text");
    }

    private static ConfigurationValue Source(string path, string extension, Origin origin)
    {
        var text = new ConfigurationScalar(path, Quoted: true, origin);
        if (extension is not ".json") // others are told by their names
            return text;
        return new ConfigurationObject(
            [
                new("name", new ConfigurationScalar("text", Quoted: false, origin)),
                new("path", text),
                new("kind", new ConfigurationScalar("jsonl", Quoted: false, origin)),
            ], origin);
    }

    private void ConvertModel()
    {
        var weights = given.Text("model_name_or_path");
        if (weights is not null && Directory.Exists(Absolute(weights)))
        {
            var folder = Locate(weights);
            given.Became("model_name_or_path", SetPath(Keys.Weights, folder, "model_name_or_path") + ", " + SetPath(Keys.ModelConfig, Path.Join(folder, "config.json"), "model_name_or_path"));
        }
        else if (weights is not null)
            given.NoCounterpart("model_name_or_path", $"there is no folder {Absolute(weights)}, and nothing is downloaded from the hub; name a folder in model.weights and its config.json in model.config");

        var shape = given.Text("config_name");
        var file = shape is null ? null : new[] { shape, Path.Join(shape, "config.json") }.FirstOrDefault(path => File.Exists(Absolute(path)));
        if (options.ModelConfig is { } named)
        {
            result.Set(Keys.ModelConfig, new ConfigurationScalar(Path.GetFullPath(named), Quoted: true, _origin), "--model-config");
            given.NoMeaning("config_name", "--model-config decides");
        }
        else if (file is not null)
            given.Became("config_name", SetPath(Keys.ModelConfig, Locate(file), "config_name"));
        else if (!result.Has(Keys.ModelConfig))
        {
            result.Set(Keys.ModelConfig, new ConfigurationScalar(Path.Join(AppContext.BaseDirectory, StandInModel), Quoted: true, _origin), "a stand-in: the recipe's 300M shape");
            given.NoCounterpart("config_name", $"there is no such file here, and nothing is downloaded from the hub; {StandInModel}, the recipe's shape, stands in: give --model-config FILE");
        }
        if (given.Text("model_type") is { } type)
            given.Note("model_type", type is "mistral" or "mixtral" ? OutcomeKind.NoMeaning : OutcomeKind.NoCounterpart,
                type is "mistral" or "mixtral" ? "the model's config.json says it" : "models are Mistral or Mixtral, of the shape that model.config says");
        given.NoCounterpart("config_overrides", "edit the config.json that model.config names");
        ConvertTokenizer(weights);
    }

    private void ConvertTokenizer(string? weights)
    {
        var name = given.Find("tokenizer_name") is null && weights is not null ? "model_name_or_path" : "tokenizer_name";
        if (given.Text(name) is not { } path)
            return;
        string[] files = [TextTokenizer.ModelFileName, "spiece.model", TextTokenizer.JsonFileName];
        var found = File.Exists(Absolute(path)) ? path : files.Select(file => Path.Join(path, file)).FirstOrDefault(file => File.Exists(Absolute(file)));
        var text = SetPath(Keys.Tokenizer, Locate(found ?? Path.Join(path, TextTokenizer.ModelFileName)), name);
        if (name == "tokenizer_name")
            given.Note(name, found is null ? OutcomeKind.NoCounterpart : OutcomeKind.Became,
                found is null ? $"not yet: {Absolute(path)} holds no tokenizer; {text} must be there when the run starts" : text);
    }

    private void ConvertEvaluation()
    {
        var name = given.Find("eval_strategy") is null && given.Find("evaluation_strategy") is not null ? "evaluation_strategy" : "eval_strategy";
        Strategy(name, "eval_steps", Keys.EvalSteps, missingStrategy: "no", missingSteps: given.Number("logging_steps") ?? 500);
        if (given.Integer("max_eval_samples") is { } samples)
            given.Became("max_eval_samples", Set(Keys.EvalBatches, Math.Max(1, Math.Ceiling(samples / (double)(given.Integer("per_device_train_batch_size") ?? 8))), "max_eval_samples"));
        if (given.Text("metric_for_best_model") is { } metric && metric is not ("loss" or "eval_loss"))
            given.NoCounterpart("metric_for_best_model", "the best checkpoint is that of the lowest loss on held-out text");
    }

    private void ConvertCheckpoints()
    {
        Strategy("save_strategy", "save_steps", Keys.SaveSteps, missingStrategy: "steps", missingSteps: 500);
        Integer("save_total_limit", Keys.SaveTotalLimit, 0);
        var best = given.Switch("load_best_model_at_end") ?? false;
        Note("load_best_model_at_end", given.Find("load_best_model_at_end") is null, best ? "true" : "false",
            result.Set(Keys.LoadBestAtEnd, best ? "true" : "false", given.Find("load_best_model_at_end")?.Origin ?? _origin, "load_best_model_at_end"));
        if (given.Text("output_dir") is not null)
            given.Became("output_dir", SetPath(Keys.RunDirectory, Locate(given.Text("output_dir")!), "output_dir"));
        if (given.Text("resume_from_checkpoint") is { } checkpoint)
            given.Became("resume_from_checkpoint", SetPath(Keys.Resume, Locate(checkpoint), "resume_from_checkpoint"));
        else if (given.Switch("overwrite_output_dir") == true)
            given.Became("overwrite_output_dir", result.Set(Keys.Resume, "never", given.Find("overwrite_output_dir")!.Origin, "overwrite_output_dir"));
        else
            given.NoMeaning("overwrite_output_dir", "a run goes on from its newest checkpoint unless run.resume = never");
    }

    private void Strategy(string name, string stepsName, Key key, string missingStrategy, double missingSteps)
    {
        var strategy = given.Text(name) ?? missingStrategy;
        if (strategy is not ("no" or "steps" or "epoch" or "best"))
            throw given.Wrong(name, given.Find(name)!, "no, steps or epoch");
        var steps = given.Number(stepsName) ?? missingSteps;
        if (steps is > 0 and < 1) // a share of the run
            steps = Math.Max(1, Math.Ceiling(steps * Steps()));
        var interval = strategy == "steps" ? steps : 0;
        var from = strategy == "steps" && given.Find(stepsName) is not null ? stepsName : name;
        var text = Set(key, interval, from);
        if (strategy is "epoch" or "best")
            given.NoCounterpart(name, $"{text} counts steps; 0 is at the end only");
        else
            given.Became(name, text);
        given.Note(stepsName, strategy == "steps" ? OutcomeKind.Became : OutcomeKind.NoMeaning, strategy == "steps" ? text : $"{name} is {strategy}");
        if (given.Find(name) is null && given.Find(stepsName) is null)
            _defaults.Add(new Outcome(name, strategy, OutcomeKind.Became, text));
    }

    private void ConvertMachine()
    {
        var (half, brain) = (given.Switch("fp16") ?? false, given.Switch("bf16") ?? false);
        if (half && brain)
            throw new UserErrorException($"{given.Find("bf16")!.Origin}: fp16 and bf16 are both true; one of them must be false.");
        var dtype = given.Text("torch_dtype") ?? given.Text("dtype");
        var precision = half ? "fp16" : brain ? "bf16" : dtype switch { "bfloat16" => "bf16", "float16" => "fp16", _ => "float32" };
        var decides = half ? "fp16" : brain ? "bf16" : given.Find("torch_dtype") is not null ? "torch_dtype" : given.Find("dtype") is not null ? "dtype" : "fp16";
        Note(decides, given.Find(decides) is null, "false", result.Set(Keys.Compute, precision, given.Find(decides)?.Origin ?? _origin, decides)
            + (decides.Contains("dtype") && precision != "float32" ? "; master weights stay in float32" : ""));
        foreach (var name in new[] { "fp16", "bf16", "torch_dtype", "dtype" }.Where(name => name != decides))
            given.NoMeaning(name, $"torch.precision = {precision} says it");

        if (given.Switch("gradient_checkpointing") is { } again)
            given.Became("gradient_checkpointing", result.Set(Keys.Recompute, again ? "layer" : "none", given.Find("gradient_checkpointing")!.Origin, "gradient_checkpointing"));
        foreach (var name in new[] { "use_cpu", "no_cuda" })
        {
            if (given.Switch(name) is { } cpu)
                given.Became(name, result.Set(Keys.Device, cpu ? "cpu" : "auto", given.Find(name)!.Origin, name));
        }
        if (given.Switch("full_determinism") is { } same)
            given.Became("full_determinism", result.Set(Keys.Deterministic, same ? "true" : "false", given.Find("full_determinism")!.Origin, "full_determinism"));
        foreach (var name in new[] { "label_smoothing_factor", "neftune_noise_alpha" })
        {
            if (given.Number(name) is > 0)
                given.NoCounterpart(name, "the loss is the plain cross-entropy");
        }
    }

    private void ConvertLogging()
    {
        var strategy = given.Text("logging_strategy") ?? "steps";
        var steps = given.Number("logging_steps") ?? 500;
        if (steps is > 0 and < 1)
            steps = Math.Max(1, Math.Ceiling(steps * Steps()));
        Note("logging_steps", given.Find("logging_steps") is null, ConvertedConfiguration.Write(steps), Set(Keys.LoggingSteps, steps, "logging_steps"));
        if (strategy == "steps")
            given.NoMeaning("logging_strategy", "training.logging-steps says it");
        else
            given.NoCounterpart("logging_strategy", "steps are logged, every training.logging-steps");
        var reports = given.Find("report_to");
        var board = reports is null ? given.Find("logging_dir") is not null : reports.ToString() is var to && (to.Contains("tensorboard", StringComparison.Ordinal) || to.Contains("all", StringComparison.Ordinal));
        var name = reports is null ? "logging_dir" : "report_to";
        if (given.Find(name) is { } named)
            given.Became(name, result.Set(Keys.TensorBoard, board ? "true" : "false", named.Origin, name) + (board ? ", in tensorboard/ of the run's folder" : ""));
        if (reports is not null)
            given.NoMeaning("logging_dir", "TensorBoard's files lie in tensorboard/ of the run's folder");
    }

    private string SetPath(Key key, string path, string name) => result.Set(key, new ConfigurationScalar(path, Quoted: true, given.Find(name)!.Origin), name);

    private string Absolute(string path) => Path.GetFullPath(path.Replace('\0', '?'), _origin.Folder);

    // From the folder of the configuration that is written, where it lies below; else whole.
    private string Locate(string path)
    {
        var relative = Path.GetRelativePath(options.OutputFolder, Absolute(path));
        return relative.StartsWith("..", StringComparison.Ordinal) ? Absolute(path) : relative;
    }
}
