using System.Runtime.InteropServices;
using Akka.Actor;
using Akka.Streams;
using Streaming.Streams.Batches;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Sources;

namespace Streaming.Actors.Tests.Runs;

/// <summary>What went into a step, told from the run's folder alone, is what the run had recorded while it trained.</summary>
public sealed class ProvenanceSpec : IDisposable
{
    private const int Steps = 10;

    private readonly string _folder = Directory.CreateTempSubdirectory("provenance-").FullName;
    private readonly ActorSystem _system = ActorSystem.Create("provenance", "akka { loglevel = WARNING, stdout-loglevel = OFF }");

    public void Dispose()
    {
        _system.Terminate().Wait(TestContext.Current.CancellationToken);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("non-finite-loss@7")] // whose text is left out: what follows comes from behind it
    public async Task The_batches_of_every_step_are_read_again_token_by_token(string plan)
    {
        var options = Options(plan);
        var (outcome, _) = await HostedRun.CompleteAsync(options);
        Assert.IsType<RunOutcome.Completed>(outcome);
        var recorded = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(_folder, "tokens.bin"))).ToArray();
        var perStep = recorded.Length / Steps;
        for (var step = 1; step <= Steps; step++)
        {
            var batches = await OfStepAsync(options, step);
            Assert.Equal(recorded[((step - 1) * perStep)..(step * perStep)], batches.SelectMany(batch => batch.Tokens));
            foreach (var batch in batches)
                AssertCovered(batch);
        }
        Assert.Equal(["big", "small"], (await OfStepAsync(options, 2)).SelectMany(batch => batch.Documents!).Select(document => document.Source).Distinct().Order());
    }

    [Fact]
    public async Task A_step_that_the_run_has_not_taken_is_refused_in_a_sentence()
    {
        var options = TinyRun.Options(_folder, 2);
        await HostedRun.CompleteAsync(options);
        var refusal = await Assert.ThrowsAsync<SourceException>(() => OfStepAsync(options, 3));
        Assert.Equal("the run has taken 2 steps, and step 3 is not among them.", refusal.Message);
    }

    /// <summary>A run that goes on with other steps still tells what the earlier ones were made of, and one whose text has changed says that it cannot.</summary>
    [Fact]
    public async Task Steps_before_a_change_of_the_configuration_are_told_as_they_were_or_refused()
    {
        var first = Options("none");
        await HostedRun.CompleteAsync(first);
        var recorded = MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(Path.Combine(_folder, "tokens.bin"))).ToArray();
        var perStep = recorded.Length / Steps;
        var second = first with
        {
            Data = first.Data with { Rows = first.Data.Rows + 1, BlockSize = first.Data.BlockSize / 2 },
            Training = first.Training with { MaxSteps = Steps + 3, GradientAccumulationSteps = first.Training.GradientAccumulationSteps + 1 },
            Checkpoints = first.Checkpoints with { RecordTokens = false },
        };
        await HostedRun.CompleteAsync(second);
        Assert.Equal(recorded[(7 * perStep)..(8 * perStep)], (await OfStepAsync(second, 8)).SelectMany(batch => batch.Tokens));
        Assert.Equal(second.Training.GradientAccumulationSteps * second.Data.Rows * second.Data.BlockSize, (await OfStepAsync(second, Steps + 2)).Sum(batch => batch.Tokens.Length));

        var third = second with { Data = second.Data with { Sources = [second.Data.Sources[0] with { Weight = 5 }, second.Data.Sources[1]] } };
        var refusal = await Assert.ThrowsAsync<SourceException>(() => OfStepAsync(third, 8));
        Assert.StartsWith("the configuration of the text is not what it was when step 8 was taken", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Damaged_lines_of_the_journals_cost_themselves_alone()
    {
        var options = Options("non-finite-loss@7");
        await HostedRun.CompleteAsync(options);
        var expected = (await OfStepAsync(options, 8)).SelectMany(batch => batch.Tokens).ToList();
        foreach (var journal in new[] { "cursors.jsonl", "skipped.jsonl" })
            File.AppendAllLines(Path.Combine(_folder, journal), ["7", "null", "{}", "{\"step\":\"7\",\"cursor\":{},\"batches\":[]}", "{\"step\":7,\"cursor\":{\"version\":\"\"}}", "[[[", "\0"]);
        Assert.Equal(expected, (await OfStepAsync(options, 8)).SelectMany(batch => batch.Tokens));
    }

    /// <summary>Every token of every sequence belongs to one document, which has a file and a place in it.</summary>
    private static void AssertCovered(TokenBatch batch)
    {
        var next = new int[batch.Rows];
        foreach (var document in batch.Documents!)
        {
            Assert.Equal(next[document.Row], document.Start);
            Assert.EndsWith(".txt", document.File, StringComparison.Ordinal);
            next[document.Row] += document.Tokens;
        }
        Assert.All(next, tokens => Assert.Equal(batch.BlockSize, tokens));
    }

    private Task<IReadOnlyList<TokenBatch>> OfStepAsync(RunOptions options, long step) =>
        Provenance.OfStepAsync(_folder, options.Data, options.Training.GradientAccumulationSteps, step, _system.Materializer(), TestContext.Current.CancellationToken);

    /// <summary>Two sources by weight, shuffled, without duplicates; checkpoints every third step, of which two are kept.</summary>
    private RunOptions Options(string plan)
    {
        var options = TinyRun.Options(_folder, Steps);
        var corpus = Path.Combine(TinyRun.Samples, "corpus-ja.txt");
        var second = Path.Combine(_folder, "second.txt");
        File.WriteAllLines(second, File.ReadLines(corpus).Skip(300).Take(600));
        var cleaning = CleaningOptions.Off with { Duplicates = new() { Documents = true, Lines = true, MemoryBytes = DuplicateOptions.LeastMemoryBytes } };
        return options with
        {
            Faults = plan == "none" ? options.Faults : new(plan, 1),
            Data = options.Data with
            {
                Shuffle = new() { Documents = 10, Seed = 3 },
                Sources = [new() { Name = "big", Paths = [corpus], Epochs = 0, Weight = 2, Cleaning = cleaning }, new() { Name = "small", Paths = [second], Epochs = 0, Cleaning = cleaning }],
            },
            Checkpoints = options.Checkpoints with { SaveSteps = 3, SaveTotalLimit = 2, RecordTokens = true },
            Training = options.Training with { RestartDelay = TimeSpan.FromMilliseconds(1) },
        };
    }
}
