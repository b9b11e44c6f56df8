using Streaming.Hosting.Commands;
using Streaming.Hosting.Configuration;

namespace Streaming.Hosting.Tests.Commands;

public sealed class ConvertCommandSpec : IDisposable
{
    // What a pretraining with run_clm.py under DeepSpeed is given, in the recipe's manner.
    private const string Trainer = """
        {
          "model_type": "gpt2",
          "config_name": "shape/config.json",
          "tokenizer_name": "tokenizer",
          "train_file": "text/train.txt",
          "validation_split_percentage": 10,
          "output_dir": "runs/first",
          "do_train": true,
          "learning_rate": 4.0e-4,
          "weight_decay": 0.1,
          "adam_beta2": 0.97,
          "adam_epsilon": 1.0e-6,
          "max_steps": 2000,
          "num_train_epochs": 3,
          "warmup_steps": 150,
          "lr_scheduler_type": "cosine",
          "per_device_train_batch_size": 6,
          "gradient_accumulation_steps": 20,
          "block_size": 512,
          "evaluation_strategy": "steps",
          "eval_steps": 0.1,
          "save_strategy": "epoch",
          "save_total_limit": 4,
          "logging_steps": 25,
          "fp16": true,
          "optim": "adamw_bnb_8bit",
          "gradient_checkpointing": true,
          "torch_compile": true,
          "group_by_length": true,
          "label_smoothing_factor": 0.1,
          "wombat": [1, 2]
        }
        """;

    private const string DeepSpeed = """
        {
          "fp16": {"enabled": "auto", "loss_scale": 0, "hysteresis": 1},
          "zero_optimization": {
            "stage": 2,
            "offload_optimizer": {"device": "cpu", "pin_memory": true},
            "overlap_comm": true,
            "quokka": 1
          },
          "gradient_clipping": "auto",
          "train_batch_size": 120,
          "train_micro_batch_size_per_gpu": "auto",
          "gradient_accumulation_steps": 20
        }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("convert-").FullName;

    public ConvertCommandSpec()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "shape"));
        File.WriteAllText(Path.Combine(_folder, "shape", "config.json"), "{}");
        Directory.CreateDirectory(Path.Combine(_folder, "tokenizer"));
        File.WriteAllText(Path.Combine(_folder, "tokenizer", "spiece.model"), "");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Output => Path.Combine(_folder, "config.hocon");

    [Fact]
    public async Task Every_setting_becomes_a_key_or_is_told_why_not()
    {
        var (code, output, errors) = await Convert(Trainer, DeepSpeed);
        Assert.Equal((0, ""), (code, errors));
        foreach (var line in new[]
        {
            "  learning_rate = 4.0e-4 -> training.learning-rate = 0.0004",
            "  max_steps = 2000 -> training.max-steps = 2000",
            "  num_train_epochs = 3 has no meaning here: max_steps decides",
            "  eval_steps = 0.1 -> training.eval-steps = 200",
            "! save_strategy = \"epoch\" has no counterpart: training.save-steps = 0 counts steps; 0 is at the end only",
            "  optim = \"adamw_bnb_8bit\" -> training.optimizer = adamw-8bit",
            "  gradient_checkpointing = true -> training.recompute = layer",
            "! model_type = \"gpt2\" has no counterpart: models are Mistral or Mixtral, of the shape that model.config says",
            "  torch_compile = true has no meaning here: kernels are written for the model and compiled at the start",
            "! label_smoothing_factor = 0.1 has no counterpart: the loss is the plain cross-entropy",
            "? wombat = [1, 2] is not known: it is left out",
            "  zero_optimization.offload_optimizer.device = \"cpu\" -> training.offload = optimizer",
            "? zero_optimization.quokka = 1 is not known: it is left out",
            "  train_batch_size = 120 -> training.per-device-train-batch-size times training.gradient-accumulation-steps",
            "  adam_beta1 = 0.9 -> training.adam-beta1 = 0.9",
        })
            Assert.Contains(line + "\n", output);
        // Nothing of the files is passed over in silence.
        foreach (var name in new[] { "weight_decay", "adam_beta2", "do_train", "group_by_length", "fp16.enabled", "fp16.hysteresis", "zero_optimization.stage", "zero_optimization.overlap_comm", "gradient_clipping" })
            Assert.Matches($"(?m)^. {System.Text.RegularExpressions.Regex.Escape(name)} = ", output);

        var settings = SettingsLoader.Load(Output, [], _ => null);
        Assert.Equal((4e-4, 0.97, 0.9, 0.1), (settings.Get(Keys.LearningRate), settings.Get(Keys.Beta2), settings.Get(Keys.Beta1), settings.Get(Keys.ValidationFraction)));
        Assert.Equal((6, 20, 512, 150), (settings.Get(Keys.BatchSize), settings.Get(Keys.GradientAccumulationSteps), settings.Get(Keys.BlockSize), settings.Get(Keys.WarmupSteps)));
        Assert.Equal(0, settings.Get(Keys.MinimumLearningRateRatio)); // Transformers' cosine ends at 0
        Assert.Equal(Path.Combine(_folder, "tokenizer", "spiece.model"), settings.Get(Keys.Tokenizer));
        Assert.Equal(Path.Combine(_folder, "shape", "config.json"), settings.Get(Keys.ModelConfig));
        Assert.Equal([Path.Combine(_folder, "text", "train.txt")], Assert.Single(settings.Get(Keys.Sources)).Paths);
        Assert.Equal(Path.Combine(_folder, "runs", "first"), settings.Get(Keys.RunDirectory));
        Assert.Equal((Streaming.Model.Engines.OffloadLevel?)Streaming.Model.Engines.OffloadLevel.Optimizer, settings.Get(Keys.Offload));
    }

    [Fact]
    public async Task An_optimizer_and_a_scheduler_of_DeepSpeed_take_the_trainers_place()
    {
        var (_, output, _) = await Convert(Trainer, """
            {"optimizer": {"type": "AdamW", "params": {"lr": 4e-4, "betas": [0.9, 0.97], "eps": "auto"}},
             "scheduler": {"type": "WarmupDecayLR", "params": {"warmup_num_steps": 150, "total_num_steps": "auto", "warmup_type": "log"}}}
            """);
        Assert.Contains("  optim = \"adamw_bnb_8bit\" has no meaning here: the optimizer of the DeepSpeed file (adamw) takes its place\n", output);
        Assert.Contains("  lr_scheduler_type = \"cosine\" has no meaning here: the scheduler of the DeepSpeed file (linear) takes its place\n", output);
        Assert.Contains("! scheduler.params.warmup_type = \"log\" has no counterpart: the warm-up is linear\n", output);
        var settings = SettingsLoader.Load(Output, [], _ => null);
        Assert.Equal((Streaming.Model.ScheduleKind.Linear, Streaming.Model.Engines.OptimizerKind.AdamW), (settings.Get(Keys.Schedule), settings.Get(Keys.Optimizer)));
    }

    [Fact]
    public async Task Epochs_without_steps_are_told_to_need_them()
    {
        var (_, output, _) = await Convert("""{"train_file": "a.jsonl", "num_train_epochs": 1.5}""");
        Assert.Contains("! num_train_epochs = 1.5 has no counterpart: not in full: data.epochs = 2, rounded up; ", output);
        Assert.Contains("give --max-steps N, N = tokens of the text x passes / 8,192 tokens a step", output);
        (_, output, _) = await Convert("""{"train_file": "a.jsonl", "num_train_epochs": 1, "warmup_ratio": 0.05}""", null, "--force", "--max-steps", "400");
        Assert.Contains("  num_train_epochs = 1 -> data.epochs = 1; training.max-steps = 400 by --max-steps\n", output);
        Assert.Equal(20, SettingsLoader.Load(Output, [], _ => null).Get(Keys.WarmupSteps));
    }

    [Fact]
    public async Task A_number_of_steps_below_1_is_a_share_of_the_run()
    {
        var (code, output, _) = await Convert("""{"max_steps": 1000, "logging_steps": 0.005, "save_steps": 0.25, "eval_strategy": "steps"}""");
        Assert.Equal(0, code);
        Assert.Contains("  logging_steps = 0.005 -> training.logging-steps = 5\n", output);
        var settings = SettingsLoader.Load(Output, [], _ => null);
        Assert.Equal((5, 250), (settings.Get(Keys.EvalSteps), settings.Get(Keys.SaveSteps))); // evaluated as often as logged, where nothing else is said
    }

    [Fact]
    public async Task An_empty_object_is_what_Transformers_would_do()
    {
        Assert.Equal(0, (await Convert("{}")).Code);
        var settings = SettingsLoader.Load(Output, [], _ => null);
        Assert.Equal((5e-5, 0.999, 8, 500), (settings.Get(Keys.LearningRate), settings.Get(Keys.Beta2), settings.Get(Keys.BatchSize), settings.Get(Keys.SaveSteps)));
        Assert.Equal(Streaming.Model.ScheduleKind.Linear, settings.Get(Keys.Schedule));
    }

    [Theory]
    [InlineData("", ":1 is not valid JSON: ")]
    [InlineData("{\n\"a\": 1,\n}", ":3 is not valid JSON: ")]
    [InlineData("{\"a\": 1} x", ":1 is not valid JSON: ")]
    [InlineData("{\n\"a\": \"\\ud800\"}", ":2 is not valid JSON: a text there is no valid Unicode.")]
    [InlineData("[1]", ":1: the file must hold an object, {…}, and begins with [1].")]
    [InlineData("{\n\n\"learning_rate\": \"fast\"}", ":3: learning_rate must be a number, was \"fast\".")]
    [InlineData("{\"learning_rate\": 1e999}", ":1: learning_rate must be a number, was 1e999.")]
    [InlineData("{\"per_device_train_batch_size\": 2.5}", ":1: per_device_train_batch_size must be a whole number, was 2.5.")]
    [InlineData("{\n\"block_size\": 0}", "streaming.data.block-size must be ")]
    [InlineData("{\"fp16\": 1}", ":1: fp16 must be true or false, was 1.")]
    [InlineData("{\"fp16\": true,\n\"bf16\": true}", ":2: fp16 and bf16 are both true; one of them must be false.")]
    [InlineData("{\"eval_strategy\": \"sometimes\"}", ":1: eval_strategy must be no, steps or epoch, was \"sometimes\".")]
    [InlineData("{\"train_file\": [\"a\"]}", ":1: train_file must be a text, was [\"a\"].")]
    [InlineData("{\"warmup_ratio\": 3}", ":1: warmup_ratio must be a share from 0 to 1, was 3.")]
    public async Task A_mistake_is_one_sentence_with_file_and_line_and_nothing_is_written(string trainer, string part) => await Refused(part, trainer, null);

    [Theory]
    [InlineData("{\"gradient_clipping\": 3}", ":1: gradient_clipping is 3, where the trainer's max_grad_norm is 1 (Transformers' default); make them equal, or the first \"auto\".")]
    [InlineData("{\"train_batch_size\": 7}", "train_batch_size is 7, which is no multiple of per_device_train_batch_size times gradient_accumulation_steps, 120 in ")]
    [InlineData("{\"fp16\": {\"enabled\": false}}", ":1: fp16.enabled is false, where the trainer's fp16 is true in ")]
    [InlineData("{\"zero_optimization\": {\"stage\": 4}}", ":1: zero_optimization.stage must be 0, 1, 2 or 3, was 4.")]
    [InlineData("{\"zero_optimization\": 2}", ":1: zero_optimization must be a section, {…}, was 2.")]
    [InlineData("{\"zero_optimization\": {\"offload_param\": {\"device\": \"tape\"}}}", ":1: zero_optimization.offload_param.device must be cpu, nvme or none, was \"tape\".")]
    [InlineData("{\"optimizer\": {\"params\": {\"betas\": [1]}}}", ":1: optimizer.params.betas must be two numbers or \"auto\", was [1].")]
    public async Task Files_that_contradict_each_other_are_refused(string deepSpeed, string part) => await Refused(part, Trainer, deepSpeed);

    [Fact]
    public async Task What_is_there_is_not_replaced_unasked()
    {
        File.WriteAllText(Output, "mine");
        await Refused($"--output: {Output} exists; name another file, or replace it with --force.", "{}", null);
        Assert.Equal("mine", File.ReadAllText(Output));
        Assert.Equal(0, (await Convert("{}", null, "--force")).Code);
        File.Delete(Output);
        await Refused("does not exist.", null, null);
    }

    private async Task Refused(string part, string? trainer, string? deepSpeed)
    {
        var before = File.Exists(Output);
        var (code, output, errors) = await Convert(trainer, deepSpeed);
        Assert.Equal((2, ""), (code, output));
        Assert.Contains(part, errors);
        Assert.Equal(1, errors.Count(character => character == '\n'));
        Assert.Equal(before, File.Exists(Output));
    }

    private async Task<(int Code, string Output, string Errors)> Convert(string? trainer, string? deepSpeed = null, params string[] more)
    {
        var (trainerFile, deepSpeedFile) = (Path.Combine(_folder, "hf_config.json"), Path.Combine(_folder, "ds_config.json"));
        if (trainer is not null)
            File.WriteAllText(trainerFile, trainer);
        else
            File.Delete(trainerFile);
        string[] second = deepSpeed is null ? [] : ["--deepspeed", deepSpeedFile];
        if (deepSpeed is not null)
            File.WriteAllText(deepSpeedFile, deepSpeed);
        var (output, errors) = (new StringWriter(), new StringWriter());
        var code = await CommandLine.RunAsync(Root.Create(), ["convert", trainerFile, .. second, "--output", Output, .. more], output, errors);
        return (code, output.ToString(), errors.ToString());
    }
}
