using Streaming.Model;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Streams;
using Streaming.Tests;

namespace Streaming.Actors.Tests.Runs;

/// <summary>A real run small enough for tests: the sample corpus and tokenizer, a Mistral of two narrow layers, float32 on the CPU.</summary>
internal static class TinyRun
{
    /// <summary>Matrices this small gain nothing from a second thread, and lose much where other tests want it.</summary>
    static TinyRun()
    {
        LibtorchRuntime.Load();
        TorchSharp.torch.set_num_threads(1);
    }

    public static string Samples { get; } = Path.Combine(ReferenceData.RepositoryRoot, "samples");

    public static MistralConfig Model { get; } = MistralConfig.Load(Path.Combine(ReferenceData.RepositoryRoot, "models", "mistral-sample")) with
    {
        HiddenSize = 32,
        IntermediateSize = 48,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 8,
    };

    public static RunOptions Options(string runDirectory, long maxSteps) => new()
    {
        RunDirectory = runDirectory,
        Model = Model,
        Data = new()
        {
            Sources = [new SourceOptions { Paths = [Path.Combine(Samples, "corpus-ja.txt")], Epochs = 0 }],
            Tokenizer = Path.Combine(Samples, "tokenizer.model"),
            BlockSize = 32,
            Rows = 2,
            ValidationFraction = 0.1,
            Workers = 2,
            QueueCapacity = 4,
        },
        Optimizer = new(),
        Training = new()
        {
            MaxSteps = maxSteps,
            GradientAccumulationSteps = 2,
            LearningRate = 1e-3,
            WarmupSteps = 3,
            Device = "cpu",
            Precision = Precision.Float32,
        },
        Checkpoints = new() { SaveSteps = 4, SaveTotalLimit = 0 },
        Evaluation = new() { EvalSteps = 5, Batches = 2 },
    };

    /// <summary>The checkpoint of a step, as a path.</summary>
    public static string Checkpoint(string runDirectory, long step) => Path.Combine(runDirectory, "checkpoints", $"step-{step:D8}");
}
