using System.CommandLine;
using System.Globalization;
using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Runs;
using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Fused;
using Streaming.Model.Fused.Planning;

namespace Streaming.Hosting.Commands;

/// <summary><c>streaming plan</c>: what each level of offloading and recomputation would take on this machine, without starting a run.</summary>
internal static class PlanCommand
{
    public static Command Create()
    {
        var configuration = new ConfigurationOptions();
        var command = new Command("plan", "Show what each level of training.offload and training.recompute takes of device and host memory and how long a step lasts on this machine, and which one the configuration leads to.");
        configuration.AddTo(command);
        command.SetAction(parsed =>
        {
            var settings = configuration.Load(parsed);
            Print(RunOptionsBuilder.BuildModel(settings), RunOptionsBuilder.BuildTraining(settings), RunOptionsBuilder.BuildOptimizer(settings),
                settings.GetInt32(Keys.BatchSize), settings.GetInt32(Keys.BlockSize), parsed.InvocationConfiguration.Output);
            return ExitCodes.Done;
        });
        return command;
    }

    private static void Print(MistralConfig model, TrainingOptions training, OptimizerOptions optimizer, int rows, int tokens, TextWriter output)
    {
        if (training.Precision == Precision.Float32 || training.Engine == "reference" || training.Device == "cpu")
            throw new UserErrorException("streaming plan is about the fused engine on a CUDA GPU, and the configuration chooses another: set torch.engine, torch.device and torch.precision to auto.");
        var precision = training.Precision ?? Precision.BFloat16;
        var engine = new FusedEngineOptions(rows, tokens, EngineFactory.OrdinalOf(training.Device), training.Deterministic, "", precision, training.WideResidual,
            Adapters: training.Lora is { } lora ? new AdapterSet(lora, "", "", 0) : null);
        var machine = Machine.Describe(engine.Device, measures: true) ?? Machine.Assumed;
        if (training.MemoryLimit is { } limit)
            machine = machine with { DeviceBytes = Math.Min(limit, machine.DeviceBytes) };
        MemoryPlanner planner;
        try
        {
            planner = new MemoryPlanner(model, optimizer.Kind, engine, training.GradientAccumulationSteps, machine);
        }
        catch (NotSupportedException mistake)
        {
            throw new UserErrorException(mistake.Message.TrimEnd('.') + ".");
        }
        var perStep = (long)rows * tokens * training.GradientAccumulationSteps;
        output.WriteLine(Text($"{machine.Name}: {Gib(machine.DeviceBytes)} GiB of device and {Gib(machine.HostBytes)} GiB of host memory for the run; {machine.Rates.Products / 1e12:F0} TFLOP/s in products, {machine.Rates.DeviceMemory / 1e12:F2} TB/s on the device, {machine.Rates.In / 1e9:F0} GB/s in, {machine.Rates.Out / 1e9:F0} GB/s out"));
        output.WriteLine(Text($"{rows} x {tokens} tokens a micro-batch, {training.GradientAccumulationSteps} a step, {MemoryPlanner.Word(optimizer.Kind)}"));
        output.WriteLine(Text($"{"offload",-12}{"recompute",-11}{"device GiB",11}{"host GiB",10}{"step s",10}{"tokens/s",11}"));
        // Of adapters there is nothing to offload, so that those levels have no figures.
        foreach (var level in planner.Levels.Where(level => training.Lora is null || level.WhyNot is null))
        {
            var verdict = level.WhyNot ?? (level.Fits(machine) ? "" : level.DeviceBytes > machine.DeviceBytes ? "too much device memory" : "too much host memory");
            output.WriteLine(Text($"{MemoryPlanner.Word(level.Offload),-12}{MemoryPlanner.Word(level.Recompute),-11}{level.DeviceBytes / (double)(1 << 30),11:F2}{level.HostBytes / (double)(1 << 30),10:F2}{level.StepSeconds,10:F3}{perStep / level.StepSeconds,11:N0}{(verdict.Length > 0 ? "  " + verdict : "")}"));
        }
        try
        {
            var chosen = planner.Choose(training.Offload, training.Recompute);
            output.WriteLine(planner.Explain(chosen));
        }
        catch (Exception refusal) when (refusal is ModelException or NotSupportedException)
        {
            output.WriteLine(refusal.Message);
        }
    }

    private static string Gib(long bytes) => bytes == long.MaxValue ? "an unknown number of" : (bytes / (double)(1 << 30)).ToString("F1", CultureInfo.InvariantCulture);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
