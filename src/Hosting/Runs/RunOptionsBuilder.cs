using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Metrics;
using Streaming.Model;
using Streaming.Model.Engines;
using Streaming.Streams;

namespace Streaming.Hosting.Runs;

/// <summary>Makes the option records of the other parts from the settings.</summary>
internal static class RunOptionsBuilder
{
    /// <exception cref="UserErrorException">The model's config.json is missing or wrong, or the keys do not fit each other.</exception>
    public static RunOptions Build(Settings settings)
    {
        var model = LoadModel(settings);
        return new RunOptions
        {
            RunDirectory = settings.Get(Keys.RunDirectory),
            ShutdownTimeout = settings.Get(Keys.ShutdownTimeout),
            Model = model,
            InitialWeights = settings.Get(Keys.Weights) is var weights and not "random" ? weights : null,
            Data = BuildData(settings),
            Optimizer = BuildOptimizer(settings),
            Training = BuildTraining(settings),
            Checkpoints = new CheckpointOptions
            {
                SaveSteps = settings.Get(Keys.SaveSteps),
                SaveTotalLimit = settings.GetInt32(Keys.SaveTotalLimit),
            },
            Evaluation = new EvaluationOptions
            {
                EvalSteps = settings.Get(Keys.EvalSteps),
                Batches = settings.GetInt32(Keys.EvalBatches),
                SamplePrompt = settings.Get(Keys.SamplePrompt),
                SampleTokens = settings.GetInt32(Keys.SampleTokens),
            },
        };
    }

    public static PipelineOptions BuildData(Settings settings) => new()
    {
        Sources = settings.Get(Keys.Sources),
        Tokenizer = settings.Get(Keys.Tokenizer),
        BlockSize = settings.GetInt32(Keys.BlockSize),
        Rows = settings.GetInt32(Keys.BatchSize),
        Normalize = settings.Get(Keys.Normalize),
        AppendEndOfSentence = settings.Get(Keys.AppendEndOfSentence),
        ValidationFraction = settings.Get(Keys.ValidationFraction),
        Epochs = settings.GetInt32(Keys.Epochs),
        Workers = settings.GetInt32(Keys.Workers) is var workers and > 0 ? workers : Environment.ProcessorCount,
        QueueCapacity = settings.GetInt32(Keys.QueueCapacity),
    };

    public static MetricsOptions BuildMetrics(Settings settings)
        => new(settings.Get(Keys.MetricsEnabled), settings.Get(Keys.MetricsHost), settings.GetInt32(Keys.MetricsPort));

    private static OptimizerOptions BuildOptimizer(Settings settings) => new()
    {
        Kind = settings.Get(Keys.Optimizer),
        Beta1 = settings.Get(Keys.Beta1),
        Beta2 = settings.Get(Keys.Beta2),
        Epsilon = settings.Get(Keys.Epsilon),
        WeightDecay = settings.Get(Keys.WeightDecay),
        Decay = settings.Get(Keys.Decay),
        MaxGradientNorm = settings.Get(Keys.MaxGradientNorm),
    };

    private static TrainingOptions BuildTraining(Settings settings) => new()
    {
        MaxSteps = settings.Get(Keys.MaxSteps),
        GradientAccumulationSteps = settings.GetInt32(Keys.GradientAccumulationSteps),
        LearningRate = settings.Get(Keys.LearningRate),
        Schedule = settings.Get(Keys.Schedule),
        WarmupSteps = settings.Get(Keys.WarmupSteps),
        MinimumLearningRateRatio = settings.Get(Keys.MinimumLearningRateRatio),
        Seed = settings.GetInt32(Keys.Seed),
        Device = settings.Get(Keys.Device),
        Libtorch = settings.Get(Keys.Libtorch),
        Precision = settings.Get(Keys.Compute),
        Engine = settings.Get(Keys.Engine),
        Deterministic = settings.Get(Keys.Deterministic),
        WideResidual = settings.Get(Keys.Residual) == Precision.Float32,
        LoggingSteps = settings.GetInt32(Keys.LoggingSteps),
        MaxRollbacks = settings.GetInt32(Keys.MaxRollbacks),
        Resume = settings.Get(Keys.Resume),
    };

    private static MistralConfig LoadModel(Settings settings)
    {
        MistralConfig model;
        try
        {
            model = MistralConfig.Load(settings.Get(Keys.ModelConfig));
        }
        catch (ModelException mistake)
        {
            throw new UserErrorException(settings.Refuse(Keys.ModelConfig, $"cannot be used: {mistake.Message.TrimEnd('.')}"));
        }
        if (settings.Get(Keys.BlockSize) > model.MaxPositions)
            throw new UserErrorException(settings.Refuse(Keys.BlockSize, $"must be at most the model's max_position_embeddings, {model.MaxPositions} in {settings.Get(Keys.ModelConfig)}, was {settings.Get(Keys.BlockSize)}"));
        return model;
    }
}
