using System.Globalization;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Configuration.Hocon;

namespace Streaming.Hosting.Conversion;

/// <summary>
/// Turns the arguments of <c>run_clm.py</c> (ModelArguments, DataTrainingArguments and TrainingArguments of Transformers) into
/// keys. What is not given has the value that Transformers gives it, not the one of this program.
/// </summary>
/// <param name="given">The arguments.</param>
/// <param name="deepSpeed">What the DeepSpeed file decides instead of them.</param>
internal sealed partial class TrainerConversion(SettingsReader given, DeepSpeedConversion deepSpeed, ConvertedConfiguration result, ConvertOptions options)
{
    private const string Assumed = "Transformers' default, as it is not given";

    private readonly Origin _origin = given.Section.Origin with { Line = 0 };
    private readonly List<Outcome> _defaults = [];

    /// <summary>What Transformers assumes for what is not given, where this program would assume something else.</summary>
    public IReadOnlyList<Outcome> Defaults => _defaults;

    public void Convert()
    {
        ConvertBatches();
        ConvertLength();
        ConvertOptimizer();
        ConvertSchedule();
        ConvertData();
        ConvertModel();
        ConvertEvaluation();
        ConvertCheckpoints();
        ConvertMachine();
        ConvertLogging();
    }

    private void ConvertBatches()
    {
        Integer("per_device_train_batch_size", Keys.BatchSize, 8);
        Integer("gradient_accumulation_steps", Keys.GradientAccumulationSteps, 1);
        Integer("block_size", Keys.BlockSize, 1024);
        Integer("seed", Keys.Seed, 42);
    }

    // How long a run is: steps, or passes over the text, of which nobody knows how many steps they are before it is read.
    private void ConvertLength()
    {
        var steps = given.Integer("max_steps");
        var epochs = given.Number("num_train_epochs");
        if (steps is > 0)
        {
            given.Became("max_steps", Set(Keys.MaxSteps, steps.Value, "max_steps"));
            result.Set(Keys.Epochs, "0", _origin, "the text is repeated until max-steps");
            given.NoMeaning("num_train_epochs", "max_steps decides");
            return;
        }
        given.NoMeaning("max_steps", "it is not above 0, so num_train_epochs decides");
        var passes = Math.Max(1, Math.Ceiling(epochs ?? 3));
        if (options.MaxSteps is { } known)
            result.Set(Keys.MaxSteps, known, _origin, "--max-steps");
        else
            result.Set(Keys.MaxSteps, ConvertOptions.StandInSteps, _origin, "a stand-in: the learning rate needs the number of steps, and the text is not counted beforehand");
        var text = result.Set(Keys.Epochs, passes, given.Find("num_train_epochs")?.Origin ?? _origin, epochs is null ? Assumed : "num_train_epochs")
            + (passes == epochs || epochs is null ? "" : ", rounded up")
            + (options.MaxSteps is null
                ? string.Create(CultureInfo.InvariantCulture, $"; the learning rate needs the number of steps, for which training.max-steps = {ConvertOptions.StandInSteps} stands in: give --max-steps N, N = tokens of the text x passes / {TokensAStep:#,0} tokens a step")
                : $"; training.max-steps = {options.MaxSteps} by --max-steps");
        if (epochs is null)
            _defaults.Add(new Outcome("num_train_epochs", "3", OutcomeKind.Became, text));
        else
            given.Note("num_train_epochs", options.MaxSteps is null ? OutcomeKind.NoCounterpart : OutcomeKind.Became, options.MaxSteps is null ? $"not in full: {text}" : text);
    }

    private long TokensAStep => (given.Integer("per_device_train_batch_size") ?? 8) * (given.Integer("gradient_accumulation_steps") ?? 1) * (given.Integer("block_size") ?? 1024);

    private void ConvertOptimizer()
    {
        Number("learning_rate", Keys.LearningRate, 5e-5);
        Number("weight_decay", Keys.WeightDecay, 0);
        Number("adam_beta1", Keys.Beta1, 0.9);
        Number("adam_beta2", Keys.Beta2, 0.999);
        Number("adam_epsilon", Keys.Epsilon, 1e-8);
        Number("max_grad_norm", Keys.MaxGradientNorm, 1);
        if (deepSpeed.Optimizer is { } decided)
        {
            result.Set(Keys.Optimizer, decided.Name, decided.Origin, "optimizer of the DeepSpeed file");
            given.NoMeaning("optim", $"the optimizer of the DeepSpeed file ({decided.Name}) takes its place");
            return;
        }
        var name = given.Text("optim") ?? "adamw_torch";
        var kind = name switch
        {
            "adamw_torch" or "adamw_torch_fused" or "adamw_hf" or "adamw_apex_fused" or "adamw_torch_xla" or "paged_adamw" or "paged_adamw_32bit" => "adamw",
            "adamw_bnb_8bit" or "adamw_8bit" or "paged_adamw_8bit" or "adamw_torch_8bit" => "adamw-8bit",
            _ => null,
        };
        if (kind is null)
        {
            result.Set(Keys.Optimizer, "adamw", _origin, $"in place of {name}");
            given.NoCounterpart("optim", $"training.optimizer = adamw stands in; there are {Keys.Optimizer.Allowed}");
        }
        else
            Text("optim", name, Keys.Optimizer, kind);
    }

    private void ConvertSchedule()
    {
        ConvertWarmup();
        if (deepSpeed.Schedule is { } decided)
        {
            result.Set(Keys.Schedule, decided.Name, decided.Origin, "scheduler of the DeepSpeed file");
            result.Set(Keys.MinimumLearningRateRatio, decided.MinimumRatio, decided.Origin, "scheduler of the DeepSpeed file");
            given.NoMeaning("lr_scheduler_type", $"the scheduler of the DeepSpeed file ({decided.Name}) takes its place");
            foreach (var name in new[] { "lr_scheduler_kwargs", "min_lr_rate", "min_lr" })
                given.NoMeaning(name, "the scheduler of the DeepSpeed file takes its place");
            return;
        }
        var type = given.Text("lr_scheduler_type") ?? "linear";
        var schedule = type switch
        {
            "linear" or "constant" or "cosine" => type,
            "cosine_with_min_lr" => "cosine",
            "constant_with_warmup" => "constant",
            "warmup_stable_decay" => "warmup-stable-decay",
            _ => null,
        };
        if (type == "constant")
            result.Set(Keys.WarmupSteps, "0", _origin, "lr_scheduler_type = constant does not warm up");
        if (schedule is null)
        {
            result.Set(Keys.Schedule, "cosine", _origin, $"in place of {type}");
            given.NoCounterpart("lr_scheduler_type", $"training.lr-scheduler-type = cosine stands in; there are {Keys.Schedule.Allowed}");
        }
        else
            Text("lr_scheduler_type", type, Keys.Schedule, schedule);
        ConvertMinimum(type);
    }

    private void ConvertWarmup()
    {
        var ratio = given.Number("warmup_ratio");
        var steps = given.Number("warmup_steps");
        if (steps is > 0 and < 1) // from Transformers 5 on a share may stand here
            (ratio, steps) = (steps, null);
        if (steps is > 0 || ratio is null or 0)
        {
            Integer("warmup_steps", Keys.WarmupSteps, 0);
            given.NoMeaning("warmup_ratio", steps is > 0 ? "warmup_steps decides" : "it is 0");
            return;
        }
        var name = given.Number("warmup_steps") is > 0 ? "warmup_steps" : "warmup_ratio";
        if (ratio is < 0 or > 1)
            throw given.Wrong(name, given.Find(name)!, "a share from 0 to 1");
        var of = Steps();
        given.Became(name, result.Set(Keys.WarmupSteps, Math.Ceiling(ratio.Value * of), given.Find(name)!.Origin, $"{name} of max-steps = {of}"));
        if (name == "warmup_ratio")
            given.NoMeaning("warmup_steps", "it is 0, so warmup_ratio decides");
    }

    private void ConvertMinimum(string type)
    {
        var kwargs = given.Open("lr_scheduler_kwargs");
        var rate = given.Number("min_lr_rate") ?? kwargs?.Number("min_lr_rate") ?? kwargs?.Number("min_lr_ratio");
        var absolute = given.Number("min_lr") ?? kwargs?.Number("min_lr");
        var ratio = type is "cosine_with_min_lr" or "warmup_stable_decay" ? rate ?? absolute / (given.Number("learning_rate") ?? 5e-5) ?? 0 : 0;
        var named = new[] { "min_lr_rate", "min_lr", "lr_scheduler_kwargs" }.FirstOrDefault(name => given.Find(name) is not null);
        var origin = named is null ? _origin : given.Find(named)!.Origin;
        var text = result.Set(Keys.MinimumLearningRateRatio, ratio, origin, ratio > 0 ? named! : $"{type} ends at 0");
        foreach (var name in new[] { "min_lr_rate", "min_lr" })
            given.Note(name, ratio > 0 ? OutcomeKind.Became : OutcomeKind.NoMeaning, ratio > 0 ? text : $"lr_scheduler_type = {type} does not read it");
        var others = kwargs?.Section.Fields.Select(field => field.Name).Except(["min_lr_rate", "min_lr", "min_lr_ratio"]).ToList() ?? [];
        given.Note("lr_scheduler_kwargs", others.Count > 0 ? OutcomeKind.NoCounterpart : ratio > 0 ? OutcomeKind.Became : OutcomeKind.NoMeaning,
            others.Count > 0 ? $"{string.Join(", ", others)} cannot be set here; {text}" : ratio > 0 ? text : "it says nothing that this schedule reads");
    }

    private long Steps() => given.Integer("max_steps") is > 0 and var steps ? steps : options.MaxSteps ?? ConvertOptions.StandInSteps;

    private string Set(Key key, double number, string name) => result.Set(key, number, given.Find(name)?.Origin ?? _origin, given.Find(name) is null ? Assumed : name);

    private void Number(string name, Key key, double missing)
    {
        var value = given.Number(name);
        Note(name, value is null, ConvertedConfiguration.Write(value ?? missing), Set(key, value ?? missing, name));
    }

    private void Integer(string name, Key key, long missing)
    {
        var value = given.Integer(name);
        Note(name, value is null, (value ?? missing).ToString(CultureInfo.InvariantCulture), Set(key, value ?? missing, name));
    }

    private void Text(string name, string value, Key key, string text) =>
        Note(name, given.Find(name) is null, value, result.Set(key, text, given.Find(name)?.Origin ?? _origin, given.Find(name) is null ? Assumed : name));

    private void Note(string name, bool isAssumed, string value, string text)
    {
        if (isAssumed)
            _defaults.Add(new Outcome(name, value, OutcomeKind.Became, text));
        else
            given.Became(name, text);
    }
}
