using System.Text.Json;
using Streaming.Model;
using Streaming.Streams;
using Streaming.Streams.Instructions;

namespace Streaming.Actors.Tests.Runs;

public sealed class InstructionRunSpec : IDisposable
{
    private static readonly InstructionTemplate Template = new("指示：{instruction}入力：{input}応答：", "指示：{instruction}応答：");

    private readonly string _folder = Directory.CreateTempSubdirectory("instructions-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_model_is_tuned_from_a_checkpoint_and_learns_the_answers()
    {
        var (trained, _) = await HostedRun.CompleteAsync(TinyRun.Options(In("base"), 8));
        Assert.IsType<RunOutcome.Completed>(trained);
        var (outcome, run) = await HostedRun.CompleteAsync(Options("tuned", 40) with { InitialWeights = TinyRun.Checkpoint(In("base"), 8) });

        Assert.IsType<RunOutcome.Completed>(outcome);
        var evaluations = run.Events.OfType<TrainerProtocol.EvaluationCompleted>().ToList();
        Assert.True(evaluations[^1].Loss < evaluations[0].Loss - 1, $"held-out loss went from {evaluations[0].Loss} to {evaluations[^1].Loss}");
        Assert.Equal(Template, InstructionTemplate.Find(TinyRun.Checkpoint(In("tuned"), 40)));
        Assert.True(File.Exists(Path.Combine(TinyRun.Checkpoint(In("tuned"), 40), InstructionFiles.ChatTemplate)));
        Assert.Null(InstructionTemplate.Find(TinyRun.Checkpoint(In("base"), 8)));
        // What is shown at the end is an answer to an instruction.
        Assert.StartsWith("指示：何色？応答：", run.Events.OfType<TrainerProtocol.SampleGenerated>().Single().Text);
    }

    [Fact]
    public async Task A_tuning_that_is_stopped_and_goes_on_is_the_same_to_the_last_bit()
    {
        await HostedRun.CompleteAsync(Options("straight", 14));
        await using (var run = await HostedRun.StartAsync(Options("halves", 14)))
        {
            await run.SeeAsync(happened => happened is TrainerProtocol.StepCompleted { Step: 5 });
            run.Run.RequestStop(StopSignal.Interrupt);
            Assert.IsType<RunOutcome.Stopped>(await run.EndAsync());
        }
        var (outcome, resumed) = await HostedRun.CompleteAsync(Options("halves", 14));
        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.InRange(resumed.Steps.First().Step, 6, 14);
        Assert.Equal(
            File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(In("straight"), 14), "model.safetensors")),
            File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(In("halves"), 14), "model.safetensors")));
    }

    private string In(string run) => Path.Combine(_folder, run);

    /// <summary>Records whose answers follow from their inputs.</summary>
    private RunOptions Options(string run, long steps)
    {
        var options = TinyRun.Options(In(run), steps);
        var path = Path.Combine(_folder, "records.json");
        if (!File.Exists(path))
        {
            File.WriteAllText(path, JsonSerializer.Serialize(Enumerable.Range(0, 200).Select(number => new
            {
                instruction = number % 3 == 0 ? "何色？" : $"{number}は何色？",
                input = number % 3 == 0 ? $"{number}番" : "",
                output = number % 2 == 0 ? "赤い" : "青い",
            })));
        }
        return options with
        {
            Data = options.Data with
            {
                Sources = [new SourceOptions { Paths = [path], Epochs = 0 }],
                Instructions = new() { Template = Template },
                Shuffle = new() { Documents = int.MaxValue, Seed = 7 },
                BlockSize = 64,
                ValidationFraction = 0.2,
            },
            Training = options.Training with { GradientAccumulationSteps = 1, LearningRate = 5e-3, Schedule = ScheduleKind.Constant },
            Checkpoints = new() { SaveSteps = 0 },
            Evaluation = new() { EvalSteps = 4, Batches = 2, SamplePrompt = "何色？", SampleTokens = 4 },
        };
    }
}
