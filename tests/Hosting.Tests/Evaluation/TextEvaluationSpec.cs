using Streaming.Hosting.Evaluation;
using Streaming.Hosting.Tests.Generation;
using Streaming.Model;
using Streaming.Model.Engines;
using Streaming.Model.Libtorch;
using Streaming.Model.Parameters;
using Streaming.Streams;
using Streaming.Tests;

namespace Streaming.Hosting.Tests.Evaluation;

public sealed class TextEvaluationSpec
{
    /// <summary>libtorch's current stream is the thread's: a fused engine's passes go wrong on another one, in silence.</summary>
    [Fact]
    public void The_engine_is_called_on_the_thread_that_made_it_however_long_the_text_takes()
    {
        using var engine = new OwnThread(new ReferenceEngine(TinyModel.Config, new OptimizerOptions(), Devices.Parse("cpu"), Precision.Float32, new RandomWeights(TinyModel.Config, 1)));
        var data = new PipelineOptions
        {
            Sources = [new SourceOptions { Paths = [Path.Combine(ReferenceData.RepositoryRoot, "samples", "corpus-ja.txt")], Epochs = 1 }],
            Tokenizer = TinyModel.Tokenizer,
            BlockSize = 64,
            Rows = 2,
            QueueCapacity = 1,
        };
        var score = TextEvaluation.Run(engine, data, Split.Train, most: 6, TestContext.Current.CancellationToken);
        Assert.Equal((12, 6 * 2 * 63), (score.Samples, score.Predictions));
        Assert.InRange(score.Loss, 5, 12);
        Assert.Equal([Environment.CurrentManagedThreadId], engine.Threads);
    }

    /// <summary>An engine, and who calls it.</summary>
    private sealed class OwnThread(ITrainingEngine engine) : ITrainingEngine
    {
        public HashSet<int> Threads { get; } = [];
        public MistralConfig Model => engine.Model;
        public string Description => engine.Description;
        public long ParameterCount => engine.ParameterCount;
        public IReadOnlyList<IParameterState> Parameters => engine.Parameters;

        public long Step
        {
            get => engine.Step;
            set => engine.Step = value;
        }

        public void Accumulate(MicroBatch batch, int microBatches) => engine.Accumulate(batch, microBatches);

        public StepResult Update(double learningRate) => engine.Update(learningRate);

        public double Evaluate(MicroBatch batch)
        {
            Threads.Add(Environment.CurrentManagedThreadId);
            return engine.Evaluate(batch);
        }

        public void Dispose() => engine.Dispose();
    }
}
