using System.Globalization;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Conversion;

/// <summary>What takes the place of the trainer's optimizer.</summary>
internal sealed record DecidedOptimizer(string Name, Origin Origin);

/// <summary>What takes the place of the trainer's schedule.</summary>
internal sealed record DecidedSchedule(string Name, double MinimumRatio, Origin Origin);

/// <summary>
/// Turns a DeepSpeed file into keys. As in Transformers, <c>auto</c> is what the trainer's arguments say, a number must agree
/// with them, and an optimizer or a scheduler takes the place of theirs.
/// </summary>
/// <param name="file">The file; null where there is none.</param>
/// <param name="given">The trainer's arguments.</param>
internal sealed class DeepSpeedConversion(SettingsReader? file, SettingsReader given, ConvertedConfiguration result)
{
    private const string Auto = "auto: the trainer's arguments say it";

    private readonly List<SettingsReader> _sections = [];

    public DecidedOptimizer? Optimizer { get; private set; }

    public DecidedSchedule? Schedule { get; private set; }

    /// <summary>Sections, the file's own first.</summary>
    public IReadOnlyList<SettingsReader> Sections => _sections;

    /// <summary>What decides instead of the trainer's arguments; before they are converted.</summary>
    public void Decide()
    {
        if (file is null)
            return;
        _sections.Add(file);
        DecideOptimizer();
        DecideSchedule();
    }

    /// <summary>The rest; after the trainer's arguments are converted.</summary>
    public void Convert()
    {
        if (file is null)
            return;
        Agree(file, "train_micro_batch_size_per_gpu", "per_device_train_batch_size", 8, Keys.BatchSize);
        Agree(file, "gradient_accumulation_steps", "gradient_accumulation_steps", 1, Keys.GradientAccumulationSteps);
        Agree(file, "gradient_clipping", "max_grad_norm", 1, Keys.MaxGradientNorm);
        ConvertBatch(file);
        ConvertPrecision("fp16");
        ConvertPrecision("bf16");
        ConvertZero();
    }

    private SettingsReader? Open(SettingsReader parent, string name)
    {
        var section = parent.Open(name);
        if (section is not null)
            _sections.Add(section);
        return section;
    }

    private void DecideOptimizer()
    {
        if (Open(file!, "optimizer") is not { } section)
            return;
        var type = section.Text("type") ?? "";
        var kind = type.ToLowerInvariant() switch { "adam" or "adamw" or "fusedadam" or "deepspeedcpuadam" => "adamw", "muon" => "muon", _ => null };
        Optimizer = new DecidedOptimizer(kind ?? "adamw", section.Section.Origin);
        if (kind is null)
            section.NoCounterpart("type", $"training.optimizer = adamw stands in; there are {Keys.Optimizer.Allowed}");
        else
            section.Became("type", $"training.optimizer = {kind}");
        if (Open(section, "params") is not { } values)
            return;
        Agree(values, "lr", "learning_rate", 5e-5, Keys.LearningRate);
        Agree(values, "eps", "adam_epsilon", 1e-8, Keys.Epsilon);
        Agree(values, "weight_decay", "weight_decay", 0, Keys.WeightDecay);
        AgreeOnBetas(values);
        foreach (var name in new[] { "torch_adam", "bias_correction" })
            values.NoMeaning(name, "AdamW is computed one way, with the correction of the bias");
        if (values.Switch("adam_w_mode") == false)
            values.NoCounterpart("adam_w_mode", "the decay is decoupled from the gradient always");
        else
            values.NoMeaning("adam_w_mode", "the decay is decoupled from the gradient always");
    }

    private void AgreeOnBetas(SettingsReader values)
    {
        if (values.Find("betas") is not { } betas)
            return;
        if (betas.IsAuto)
        {
            values.NoMeaning("betas", Auto);
            return;
        }
        if (betas.Items.Count != 2 || !betas.Items.All(item => item.IsNumber))
            throw values.Wrong("betas", betas, "two numbers or \"auto\"");
        var numbers = betas.Items.Select(item => double.Parse(item.Text, CultureInfo.InvariantCulture)).ToArray();
        foreach (var (argument, missing, value) in new[] { ("adam_beta1", 0.9, numbers[0]), ("adam_beta2", 0.999, numbers[1]) })
            RequireEqual(values, "betas", betas, value, argument, missing);
        values.Became("betas", "training.adam-beta1, training.adam-beta2, as the trainer's arguments have them");
    }

    private void DecideSchedule()
    {
        if (Open(file!, "scheduler") is not { } section)
            return;
        var type = section.Text("type") ?? "";
        var values = Open(section, "params");
        var name = type switch { "WarmupLR" => "constant", "WarmupDecayLR" => "linear", "WarmupCosineLR" => "cosine", _ => null };
        if (name is null)
        {
            section.NoCounterpart("type", $"the trainer's lr_scheduler_type is taken; there are {Keys.Schedule.Allowed}");
            return;
        }
        Schedule = new DecidedSchedule(name, type == "WarmupCosineLR" ? values?.Number("cos_min_ratio") ?? 0.0001 : 0, section.Section.Origin);
        section.Became("type", $"training.lr-scheduler-type = {name}, training.min-lr-ratio = {ConvertedConfiguration.Write(Schedule.MinimumRatio)}");
        if (values is null)
            return;
        Agree(values, "warmup_max_lr", "learning_rate", 5e-5, Keys.LearningRate);
        Agree(values, "warmup_num_steps", "warmup_steps", 0, Keys.WarmupSteps);
        if (values.Find("total_num_steps") is { IsAuto: true })
            values.NoMeaning("total_num_steps", "auto: training.max-steps says it");
        else if (values.Number("total_num_steps") is { } total)
            Note(values, "total_num_steps", total, given.Number("max_steps"), "training.max-steps says it");
        foreach (var lowest in new[] { "warmup_min_lr", "warmup_min_ratio" })
        {
            if (values.Find(lowest) is not { IsAuto: true } && values.Number(lowest) is not null and not 0)
                values.NoCounterpart(lowest, "the warm-up begins at 0");
            else
                values.NoMeaning(lowest, "the warm-up begins at 0");
        }
        values.Note("warmup_type", values.Text("warmup_type") == "linear" ? OutcomeKind.NoMeaning : OutcomeKind.NoCounterpart, "the warm-up is linear");
        values.NoMeaning("cos_min_ratio", "training.min-lr-ratio says it");
    }

    private static void Note(SettingsReader values, string name, double value, double? steps, string text)
    {
        if (steps is > 0 && steps != value)
            throw new UserErrorException($"{values.Find(name)!.Origin}: {name} is {ConvertedConfiguration.Write(value)}, where the trainer's max_steps is {ConvertedConfiguration.Write(steps.Value)}; make them equal, or the first \"auto\".");
        values.Note(name, steps is > 0 ? OutcomeKind.Became : OutcomeKind.NoCounterpart, steps is > 0 ? text : $"{text}: give --max-steps {ConvertedConfiguration.Write(value)}");
    }

    // The product of the other two and the number of GPUs, which is one here.
    private void ConvertBatch(SettingsReader file)
    {
        if (file.Find("train_batch_size") is not { } value)
            return;
        if (value.IsAuto)
        {
            file.NoMeaning("train_batch_size", "auto: micro-batch times accumulation steps");
            return;
        }
        var product = (given.Integer("per_device_train_batch_size") ?? 8) * (given.Integer("gradient_accumulation_steps") ?? 1);
        var whole = file.Integer("train_batch_size")!.Value;
        if (whole == product)
            file.Became("train_batch_size", "training.per-device-train-batch-size times training.gradient-accumulation-steps");
        else if (whole > 0 && product > 0 && whole % product == 0)
            file.NoCounterpart("train_batch_size", $"{whole} is for {whole / product} GPUs, and one trains here: multiply training.gradient-accumulation-steps by {whole / product} for the same steps");
        else
            throw new UserErrorException($"{value.Origin}: train_batch_size is {whole}, which is no multiple of per_device_train_batch_size times gradient_accumulation_steps, {product} in {given.Section.Origin.Source}; make them agree, or the first \"auto\".");
    }

    private void ConvertPrecision(string name)
    {
        if (Open(file!, name) is not { } section)
            return;
        if (section.Find("enabled") is { IsAuto: false } value)
        {
            var (enabled, asked) = (section.Switch("enabled")!.Value, given.Switch(name) ?? false);
            if (enabled != asked)
                throw new UserErrorException($"{value.Origin}: {name}.enabled is {value}, where the trainer's {name} is {(asked ? "true" : "false")} in {given.Section.Origin.Source}; make them equal, or the first \"auto\".");
            section.Note("enabled", enabled ? OutcomeKind.Became : OutcomeKind.NoMeaning, enabled ? $"torch.precision = {name}" : "the trainer's arguments say the same");
        }
        else
            section.NoMeaning("enabled", Auto);
        if (name == "fp16" && section.Number("loss_scale") is > 0 and var scale)
            section.NoCounterpart("loss_scale", $"the loss is scaled by what fits, not always by {ConvertedConfiguration.Write(scale)}");
        foreach (var other in section.Section.Fields.Select(field => field.Name).Where(other => !section.IsAccountedFor(other) && _scaling.Contains(other)))
            section.NoMeaning(other, "the scale of the loss finds its way by itself: doubled after many good steps, halved after an overflow");
    }

    private static readonly HashSet<string> _scaling = ["loss_scale", "loss_scale_window", "initial_scale_power", "hysteresis", "min_loss_scale", "consecutive_hysteresis", "auto_cast", "fp16_master_weights_and_grads"];

    private void ConvertZero()
    {
        if (Open(file!, "zero_optimization") is not { } zero)
        {
            result.Set(Keys.Offload, "none", file!.Section.Origin, "no zero_optimization in the DeepSpeed file");
            return;
        }
        var stage = zero.Find("stage") is { IsAuto: false } ? zero.Integer("stage") ?? 0 : 0;
        if (stage is < 0 or > 3)
            throw zero.Wrong("stage", zero.Find("stage")!, "0, 1, 2 or 3");
        zero.NoMeaning("stage", "a stage spreads state over several GPUs, and one trains here; what leaves it says training.offload");
        var state = Offloaded(zero, "offload_optimizer", zero.Switch("cpu_offload") == true);
        var weights = Offloaded(zero, "offload_param", zero.Switch("cpu_offload_params") == true);
        if (weights && stage < 3)
        {
            zero.NoCounterpart("offload_param", $"DeepSpeed takes it at stage 3 only, and the stage is {stage}");
            weights = false;
        }
        var level = weights ? "parameters" : state ? "optimizer" : "none";
        var text = result.Set(Keys.Offload, level, zero.Section.Origin, "zero_optimization of the DeepSpeed file");
        zero.Note("cpu_offload", state ? OutcomeKind.Became : OutcomeKind.NoMeaning, text);
        zero.Note("cpu_offload_params", weights ? OutcomeKind.Became : OutcomeKind.NoMeaning, text);
    }

    private bool Offloaded(SettingsReader zero, string name, bool early)
    {
        if (Open(zero, name) is not { } section)
            return early;
        var device = section.Text("device") ?? "none";
        var leaves = device is "cpu" or "nvme";
        if (device is not ("cpu" or "nvme" or "none"))
            throw section.Wrong("device", section.Find("device")!, "cpu, nvme or none");
        var text = $"training.offload = {(name == "offload_param" ? "parameters" : "optimizer")}";
        section.Note("device", device == "nvme" ? OutcomeKind.NoCounterpart : leaves ? OutcomeKind.Became : OutcomeKind.NoMeaning,
            device == "nvme" ? $"state goes to the host's memory, not to a disk: {text}" : leaves ? text : "nothing leaves the GPU for it");
        foreach (var other in section.Section.Fields.Select(field => field.Name).Where(_offloading.ContainsKey))
            section.NoMeaning(other, _offloading[other]);
        return leaves;
    }

    private static readonly Dictionary<string, string> _offloading = new()
    {
        ["pin_memory"] = "what leaves the GPU lies in page-locked memory always",
        ["nvme_path"] = "nothing goes to a disk",
        ["buffer_count"] = "buffers are planned by the program",
        ["buffer_size"] = "buffers are planned by the program",
        ["max_in_cpu"] = "all of it lies in the host's memory",
        ["fast_init"] = "nothing goes to a disk",
        ["pipeline_read"] = "what is needed next is fetched meanwhile always",
        ["pipeline_write"] = "what is done is written back meanwhile always",
        ["ratio"] = "all of it leaves the GPU",
    };

    private void Agree(SettingsReader values, string name, string argument, double missing, Key key)
    {
        if (values.Find(name) is not { } value)
            return;
        var short_ = key.Path[(Keys.Root.Length + 1)..];
        if (value.IsAuto)
        {
            values.NoMeaning(name, Auto);
            return;
        }
        RequireEqual(values, name, value, values.Number(name)!.Value, argument, missing);
        values.Became(name, $"{short_}, as the trainer's {argument} has it");
    }

    private void RequireEqual(SettingsReader values, string name, PlacedJson value, double number, string argument, double missing)
    {
        var other = given.Number(argument) ?? missing;
        if (number != other)
            throw new UserErrorException($"{value.Origin}: {name} is {value}, where the trainer's {argument} is {ConvertedConfiguration.Write(other)} ({(given.Find(argument) is { } there ? there.Origin.ToString() : "Transformers' default")}); make them equal, or the first \"auto\".");
    }
}
