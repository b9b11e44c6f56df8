using System.Globalization;
using Streaming.Hosting.Terminal;

namespace Streaming.Hosting.Live;

/// <summary>Is the run well, and what limits it: the sentence that an operator reads first.</summary>
/// <param name="Health"><c>good</c>, <c>attention</c> or <c>bad</c>.</param>
/// <param name="Sentence">Why.</param>
internal readonly record struct Verdict(string Health, string Sentence)
{
    private const double NoticeableWait = 0.05;

    /// <param name="state">As <see cref="RunStatus.State"/>.</param>
    /// <param name="load">Who has waited for whom lately.</param>
    /// <param name="trouble">What has failed lately; null where nothing has.</param>
    /// <param name="silence">How long nothing has come of the run.</param>
    public static Verdict Of(string state, PipelineLoad load, string? trouble, Silence silence)
    {
        if (trouble is not null)
            return new("bad", trouble);
        switch (state)
        {
            case "starting":
                return new("attention", "starting: the model is loaded and the text opened");
            case "paused":
                return new("attention", "paused by an operator: no step is taken until it is resumed");
            case "stopping":
                return new("attention", "stopping: the last checkpoint is being written");
            case "ended":
                return new("attention", "the run has ended");
        }
        if (silence.IsTooLong)
        {
            return new("bad", silence.StepSeconds is { } seconds
                ? $"no step for {Quantity.Time(silence.Lasts)}, where one takes {Quantity.Time(TimeSpan.FromSeconds(seconds))}"
                : $"no first step for {Quantity.Time(silence.Lasts)}");
        }
        if (load.DataWaitRatio > NoticeableWait)
        {
            var slowest = load.Stages.OrderByDescending(stage => stage.BusyRatio).FirstOrDefault();
            var who = slowest is null || slowest.BusyRatio < 0.5 ? "the source, or too few workers" : $"{slowest.Name}, busy {Percent(slowest.BusyRatio)} of the time";
            return new("attention", $"limited by the text: the trainer waits {Percent(load.DataWaitRatio)} of the time, for {who}");
        }
        return new("good", load.Seconds > 0
            ? $"limited by the trainer, as it should be: it waits {Percent(load.DataWaitRatio)} of the time for text, and the text {Percent(load.TrainerWaitRatio)} for it"
            : "training");
    }

    private static string Percent(double ratio) => ratio.ToString(ratio < 0.0995 ? "0.#%" : "0%", CultureInfo.InvariantCulture);
}
