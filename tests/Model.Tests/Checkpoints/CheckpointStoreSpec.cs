using System.Text.Json;
using Streaming.Model.Checkpoints;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Tests.Checkpoints;

public sealed class CheckpointStoreSpec : IDisposable
{
    private readonly DirectoryInfo _run = Directory.CreateTempSubdirectory("checkpoints-");

    private string Folder(string name) => Path.Combine(_run.FullName, "checkpoints", name);

    public void Dispose() => _run.Delete(recursive: true);

    private static ReferenceEngine NewEngine(MistralConfig? config = null, int seed = 1) => new(
        config ?? TinyModels.Config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(config ?? TinyModels.Config, seed));

    private static TrainingState State(long step) => new()
    {
        Step = step,
        TokensSeen = step * 100,
        Cursor = JsonSerializer.SerializeToElement(new { file = "a.txt", line = step }),
        Losses = [3.5f, float.NaN],
        Seed = 42,
    };

    private static void Train(ReferenceEngine engine, int from, int to)
    {
        for (var step = from; step < to; step++)
        {
            for (var part = 0; part < 2; part++)
                engine.Accumulate(TinyModels.Tokens(engine.Model, 4, 16, seed: step * 2 + part), 4, microBatches: 2);
            engine.Update(1e-3 * (step + 1));
        }
    }

    private static List<float[]> Everything(ReferenceEngine engine)
    {
        var snapshot = EngineSnapshot.Take(engine);
        return [.. snapshot.Parameters.SelectMany(parameter => new[] { parameter.Weight, parameter.FirstMoment, parameter.SecondMoment })];
    }

    [Fact]
    public void The_loss_scale_of_fp16_is_kept()
    {
        using var first = new ReferenceEngine(TinyModels.Config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float16, new RandomWeights(TinyModels.Config, 1));
        first.LossScale = new LossScaling(1024, 1234);
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        store.Write(EngineSnapshot.Take(first), State(1), tokenizer: null, givenUp: TestContext.Current.CancellationToken);

        using var second = new ReferenceEngine(TinyModels.Config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float16, new RandomWeights(TinyModels.Config, 2));
        store.FindNewestWhole().Newest!.RestoreInto(second);
        Assert.Equal(new LossScaling(1024, 1234), second.LossScale);

        // Another type has none; and one that was saved in another type begins with its own.
        using var wide = NewEngine();
        store.FindNewestWhole().Newest!.RestoreInto(wide);
        Assert.Null(wide.LossScale);
        store.Write(EngineSnapshot.Take(wide), State(2), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        store.FindNewestWhole().Newest!.RestoreInto(second);
        Assert.Equal(new LossScaling(1024, 1234), second.LossScale);
    }

    [Fact]
    public void A_resumed_run_equals_an_uninterrupted_one_bit_for_bit()
    {
        using var whole = NewEngine();
        Train(whole, 0, 10);

        using (var first = NewEngine())
        {
            Train(first, 0, 5);
            CheckpointStore.Open(_run.FullName, TinyModels.Config).Write(EngineSnapshot.Take(first), State(5), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        }
        using var second = NewEngine(seed: 99);
        var found = CheckpointStore.Open(_run.FullName, TinyModels.Config).FindNewestWhole();
        found.Newest!.RestoreInto(second);
        Train(second, 5, 10);

        Assert.Equal(10, second.Step);
        Assert.Equal(Everything(whole), Everything(second));
    }

    [Theory]
    [InlineData("\0\u0001\u0002")]
    [InlineData("../../elsewhere\n")]
    [InlineData("step-99999999\n")]
    public void A_damaged_link_is_replaced_by_the_next_checkpoint(string content)
    {
        using var engine = NewEngine();
        Directory.CreateDirectory(Folder(""));
        foreach (var link in new[] { "latest", "best" })
            File.WriteAllText(Folder(link), content);
        CheckpointStore.Open(_run.FullName, TinyModels.Config).Write(EngineSnapshot.Take(engine), State(7) with { EvaluationLoss = 2.5 }, null, givenUp: TestContext.Current.CancellationToken);
        Assert.Equal("step-00000007", new DirectoryInfo(Folder("latest")).LinkTarget);
        Assert.Equal("step-00000007", new DirectoryInfo(Folder("best")).LinkTarget);
    }

    [Fact]
    public void A_checkpoint_returns_the_state_it_was_written_with()
    {
        using var engine = NewEngine();
        var tokenizer = Path.Combine(_run.FullName, "some.model");
        File.WriteAllBytes(tokenizer, [1, 2, 3]);

        CheckpointStore.Open(_run.FullName, TinyModels.Config).Write(EngineSnapshot.Take(engine), State(1234), tokenizer, givenUp: TestContext.Current.CancellationToken);

        var checkpoint = Checkpoint.Open(Folder("latest"));
        Assert.EndsWith("step-00001234", Path.GetFullPath(Directory.ResolveLinkTarget(Folder("latest"), true)!.FullName));
        Assert.Equal("step-00001234", new DirectoryInfo(Folder("latest")).LinkTarget);
        Assert.Equal(TinyModels.Config, checkpoint.Model);
        Assert.Equal((1234, 123400, 42), (checkpoint.Training.Step, checkpoint.Training.TokensSeen, checkpoint.Training.Seed));
        Assert.Equal([3.5f, float.NaN], checkpoint.Training.Losses);
        Assert.Equal(1234, checkpoint.Training.Cursor.GetProperty("line").GetInt64());
        Assert.Equal([1, 2, 3], File.ReadAllBytes(checkpoint.TokenizerPath!));
        using var weights = SafetensorsFile.Open(Path.Combine(checkpoint.Folder, "model.safetensors"));
        Assert.Equal("pt", weights.Metadata["format"]);
        Assert.Equal(ModelParameter.Of(TinyModels.Config).Select(parameter => parameter.Name).Order(), weights.Tensors.Select(tensor => tensor.Name).Order());
    }

    [Theory]
    [InlineData("model.safetensors", "truncate")]
    [InlineData("optimizer.safetensors", "flip")]
    [InlineData("state.json", "flip")]
    [InlineData("state.json", "truncate")]
    [InlineData("state.json", "delete")]
    [InlineData("config.json", "delete")]
    [InlineData("SHA256SUMS", "truncate")]
    [InlineData("SHA256SUMS", "delete")]
    public void A_broken_checkpoint_is_named_and_passed_over(string file, string damage)
    {
        using var engine = NewEngine();
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        store.Write(EngineSnapshot.Take(engine), State(10), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        store.Write(EngineSnapshot.Take(engine), State(20), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        var path = Path.Combine(Folder("step-00000020"), file);
        var bytes = File.ReadAllBytes(path);
        switch (damage)
        {
            case "delete":
                File.Delete(path);
                break;
            case "truncate":
                File.WriteAllBytes(path, bytes[..(bytes.Length / 2)]);
                break;
            default:
                bytes[bytes.Length / 2] ^= 1;
                File.WriteAllBytes(path, bytes);
                break;
        }

        var found = CheckpointStore.Open(_run.FullName, TinyModels.Config).FindNewestWhole();

        Assert.Equal(10, found.Newest!.Training.Step);
        Assert.StartsWith("step-00000020 is passed over: ", Assert.Single(found.PassedOver));
        Assert.Contains(file, found.PassedOver[0]);
    }

    [Fact]
    public void A_bit_that_flipped_in_a_time_does_not_make_an_old_checkpoint_the_newest()
    {
        using var engine = NewEngine();
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        foreach (var step in new[] { 10, 20 })
            store.Write(EngineSnapshot.Take(engine), State(step), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        var path = Path.Combine(Folder("step-00000010"), "state.json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"written_at\": \"2", "\"written_at\": \"6", StringComparison.Ordinal));

        store.Write(EngineSnapshot.Take(engine), State(30), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        var found = store.FindNewestWhole();

        Assert.Equal(30, found.Newest!.Training.Step);
        Assert.True(found.Newest.Training.WrittenAt < DateTimeOffset.UtcNow.AddDays(1));
        Assert.Equal([Folder("step-00000010")], store.Prune(2));
    }

    [Fact]
    public void One_that_is_written_after_the_clock_was_set_back_is_the_newest()
    {
        using var engine = NewEngine();
        var clock = new SetBackClock(DateTimeOffset.UtcNow);
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config).With(clock: clock);
        store.Write(EngineSnapshot.Take(engine), State(10), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        clock.Now -= TimeSpan.FromDays(400);

        store.Write(EngineSnapshot.Take(engine), State(20), tokenizer: null, givenUp: TestContext.Current.CancellationToken);

        Assert.Equal(20, store.FindNewestWhole().Newest!.Training.Step);
    }

    private sealed class SetBackClock(DateTimeOffset now) : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = now;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    [Fact]
    public void A_run_directory_of_another_model_is_refused()
    {
        using var engine = NewEngine();
        CheckpointStore.Open(_run.FullName, TinyModels.Config).Write(EngineSnapshot.Take(engine), State(10), tokenizer: null, givenUp: TestContext.Current.CancellationToken);

        var exception = Assert.Throws<CheckpointException>(() => CheckpointStore.Open(_run.FullName, TinyModels.Config with { LayerCount = 3 }));

        Assert.Equal($"{Folder("step-00000010")} is of another model: num_hidden_layers is 2 there and 3 in this run; choose another run directory, or the model's config.json that belongs to it", exception.Message);
    }

    [Fact]
    public void A_roll_back_outlives_the_steps_that_it_abandoned()
    {
        using var engine = NewEngine();
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        foreach (var step in new[] { 100, 200, 150 })
            store.Write(EngineSnapshot.Take(engine), State(step), tokenizer: null, givenUp: TestContext.Current.CancellationToken);

        Assert.Equal(150, store.FindNewestWhole().Newest!.Training.Step);
        Assert.Equal([Folder("step-00000100")], store.Prune(2));
        Assert.Equal([Folder("step-00000200")], store.Prune(1));
        Assert.Empty(store.Prune(0));
        Assert.Equal(["latest", "step-00000150"], Directory.GetFileSystemEntries(Folder("")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void A_step_written_twice_is_replaced_and_leftovers_are_cleared_away()
    {
        using var engine = NewEngine();
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        store.Write(EngineSnapshot.Take(engine), State(10), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        var snapshot = EngineSnapshot.Take(engine);
        Train(engine, 0, 1);
        store.Write(EngineSnapshot.Take(engine, reuse: snapshot), State(10), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        Directory.CreateDirectory(Folder(".aside-interrupted"));

        var found = CheckpointStore.Open(_run.FullName, TinyModels.Config).FindNewestWhole();

        Assert.Equal(["latest", "step-00000010"], Directory.GetFileSystemEntries(Folder("")).Select(Path.GetFileName).Order());
        using var restored = NewEngine(seed: 5);
        found.Newest!.RestoreInto(restored);
        Assert.Equal(Everything(engine), Everything(restored));
        Assert.Equal(1, restored.Step);
    }

    [Theory]
    [InlineData(1000)]
    [InlineData(30 << 20)] // more than is in memory at a time
    public void What_the_disk_gives_back_otherwise_than_it_was_written_is_no_checkpoint(int bytes)
    {
        using var engine = NewEngine();
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        Action<Stream> damaging = stream =>
        {
            stream.Write(new byte[bytes]);
            using var other = new FileStream(Directory.GetFiles(_run.FullName, "text.bin", SearchOption.AllDirectories).Single(), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            other.Position = bytes;
            other.WriteByte(1);
        };

        var failure = Assert.Throws<CheckpointException>(() => store.Write(
            EngineSnapshot.Take(engine), State(10), tokenizer: null, [("text.bin", damaging)], givenUp: TestContext.Current.CancellationToken));

        Assert.Contains("text.bin is not what was written: its SHA-256 differs", failure.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(Folder("")));
    }

    [Theory]
    [InlineData("optimizer.safetensors")]
    [InlineData("state.json")]
    [InlineData("step-00000020")]
    public async Task One_that_is_given_up_leaves_nothing_behind(string when)
    {
        using var engine = NewEngine();
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        store.Write(EngineSnapshot.Take(engine), State(10), tokenizer: null, givenUp: TestContext.Current.CancellationToken);
        using var unwanted = new CancellationTokenSource();
        var slow = store.With(beforeWriting: (_, path) =>
        {
            if (Path.GetFileName(path) == when)
                unwanted.Cancel();
        });

        Assert.Throws<OperationCanceledException>(() => slow.Write(EngineSnapshot.Take(engine), State(20), tokenizer: null, givenUp: unwanted.Token));
        await slow.Clearing;

        Assert.Equal(["latest", "step-00000010"], Directory.GetFileSystemEntries(Folder("")).Select(Path.GetFileName).Order());
        Assert.Equal(10, store.FindNewestWhole().Newest!.Training.Step);
    }

    [Fact]
    public void A_folder_that_cannot_be_written_costs_one_sentence()
    {
        using var engine = NewEngine();
        var store = CheckpointStore.Open(_run.FullName, TinyModels.Config);
        File.WriteAllText(Path.Combine(_run.FullName, "checkpoints"), "in the way");

        var exception = Assert.Throws<CheckpointException>(() => store.Write(EngineSnapshot.Take(engine), State(10), tokenizer: null, givenUp: TestContext.Current.CancellationToken));

        Assert.StartsWith($"checkpoint {Folder("step-00000010")} could not be written: ", exception.Message);
    }
}
