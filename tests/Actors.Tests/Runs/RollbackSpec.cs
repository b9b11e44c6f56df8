using Streaming.Model;
using Streaming.Model.Engines;

namespace Streaming.Actors.Tests.Runs;

public sealed class RollbackSpec : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rollback-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_loss_that_is_no_number_fails_the_run_after_the_allowed_rollbacks()
    {
        var options = TinyRun.Options(_folder, 100);
        var (outcome, run) = await HostedRun.CompleteAsync(options with
        {
            // Steps this wide throw the weights beyond what float32 can hold.
            Training = options.Training with { LearningRate = 1e30, WarmupSteps = 0, MaxRollbacks = 2 },
            Checkpoints = options.Checkpoints with { SaveSteps = 0 },
        });
        var failed = Assert.IsType<RunOutcome.Failed>(outcome);
        Assert.Equal(1, failed.ExitCode);
        Assert.Contains("at step", failed.Sentence, StringComparison.Ordinal);
        Assert.Equal([1, 2], run.Events.OfType<RunProtocol.RolledBack>().Select(rollback => rollback.Rollback));
    }

    [Fact]
    public async Task An_engine_that_fails_once_is_replaced_and_the_weights_end_as_if_nothing_had_happened()
    {
        var (one, other) = (Path.Combine(_folder, "undisturbed"), Path.Combine(_folder, "disturbed"));
        await HostedRun.CompleteAsync(TinyRun.Options(one, 10));

        var failures = 0;
        var (outcome, run) = await HostedRun.CompleteAsync(
            TinyRun.Options(other, 10),
            (options, notice) => new FailingEngine(EngineFactory.Create(options, notice), step => step == 7 && failures++ == 0));

        Assert.IsType<RunOutcome.Completed>(outcome);
        Assert.Equal(1, Assert.Single(run.Events.OfType<RunProtocol.RolledBack>()).Rollback);
        Assert.Equal([1, 2, 3, 4, 5, 6, 5, 6, 7, 8, 9, 10], run.Steps.Select(step => step.Step)); // 4 is the last checkpoint before 7
        foreach (var file in new[] { "model.safetensors", "optimizer.safetensors" })
        {
            Assert.True(
                File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(one, 10), file)).AsSpan()
                    .SequenceEqual(File.ReadAllBytes(Path.Combine(TinyRun.Checkpoint(other, 10), file))),
                file);
        }
        Assert.Equal(File.ReadLines(Path.Combine(one, "metrics.jsonl")).Count(), File.ReadLines(Path.Combine(other, "metrics.jsonl")).Count());
    }

    [Fact]
    public async Task An_engine_that_fails_for_ever_fails_the_run_with_its_reason()
    {
        var (outcome, run) = await HostedRun.CompleteAsync(
            TinyRun.Options(_folder, 10),
            (options, notice) => new FailingEngine(EngineFactory.Create(options, notice), step => step == 6));
        var failed = Assert.IsType<RunOutcome.Failed>(outcome);
        Assert.Contains("the injected fault", failed.Sentence, StringComparison.Ordinal);
        Assert.IsType<InvalidOperationException>(failed.Bug);
        Assert.Equal(3, run.Events.OfType<RunProtocol.RolledBack>().Count());
    }

    [Fact]
    public async Task All_engine_work_of_one_run_happens_on_one_thread()
    {
        var threads = new HashSet<int>();
        var failures = 0;
        await HostedRun.CompleteAsync(
            TinyRun.Options(_folder, 6),
            (options, notice) => new FailingEngine(EngineFactory.Create(options, notice), step =>
            {
                threads.Add(Environment.CurrentManagedThreadId);
                return step == 3 && failures++ == 0;
            }));
        Assert.Single(threads);
    }

    /// <summary>The real engine, which fails where a test says so.</summary>
    private sealed class FailingEngine(ITrainingEngine engine, Func<long, bool> fails) : ITrainingEngine
    {
        public MistralConfig Model => engine.Model;

        public string Description => engine.Description;

        public long ParameterCount => engine.ParameterCount;

        public long Step
        {
            get => engine.Step;
            set => engine.Step = value;
        }

        public IReadOnlyList<IParameterState> Parameters => engine.Parameters;

        public void Accumulate(MicroBatch batch, int microBatches) => engine.Accumulate(batch, microBatches);

        public StepResult Update(double learningRate) =>
            fails(Step + 1) ? throw new InvalidOperationException("the injected fault") : engine.Update(learningRate);

        public double Evaluate(MicroBatch batch) => engine.Evaluate(batch);

        public void Dispose() => engine.Dispose();
    }
}
