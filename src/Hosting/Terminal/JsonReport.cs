using System.Globalization;
using Microsoft.Extensions.Logging;
using Streaming.Actors;
using Streaming.Hosting.Live;
using Streaming.Hosting.Runs;

namespace Streaming.Hosting.Terminal;

/// <summary>The run for programs that read logs: an object for each event with its fields, and one every few steps (each step at level debug).</summary>
internal sealed class JsonReport(Screen screen, int loggingSteps, TimeProvider time) : IRunObserver
{
    private long? _step;

    public void Observe(RunProtocol.IEvent happened)
    {
        if (happened is TrainerProtocol.StepCompleted step)
        {
            _step = step.Step;
            Write(step);
        }
        else if (RunEvent.Of(happened, time.GetUtcNow(), _step) is { } told)
        {
            _step = told.Step;
            screen.WriteObject(told.Level, told.WriteTo);
        }
    }

    private void Write(TrainerProtocol.StepCompleted step)
    {
        var level = step.Step % loggingSteps == 0 ? LogLevel.Information : LogLevel.Debug;
        if (level < screen.Level)
            return;
        var told = new RunEvent(time.GetUtcNow(), step.Step, "step", level, string.Create(CultureInfo.InvariantCulture, $"step {step.Step}, loss {step.Loss:0.0000}"))
        {
            Fields =
            [
                ("loss", (double)step.Loss), ("gradient_norm", (double)step.GradientNorm), ("learning_rate", step.LearningRate), ("tokens", step.TotalTokens),
                ("tokens_per_second", Math.Round(step.TokensPerSecond, 1)), ("step_seconds", step.Elapsed.TotalSeconds), ("data_wait_seconds", step.DataWait.TotalSeconds),
            ],
        };
        screen.WriteObject(level, told.WriteTo);
    }
}
