using Streaming.Actors;
using Streaming.Hosting.Configuration;
using Streaming.Hosting.Metrics;
using Streaming.Model;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Streams;
using Streaming.Streams.Cleaning;
using Streaming.Streams.Sources.Http;
using Streaming.Streams.TokenizerTraining;
using Streaming.Streams.Wikipedia;

namespace Streaming.Hosting.Runs;

/// <summary>Makes the option records of the other parts from the settings.</summary>
internal static class RunOptionsBuilder
{
    /// <exception cref="UserErrorException">The model's config.json is missing or wrong, or the keys do not fit each other.</exception>
    public static RunOptions Build(Settings settings)
    {
        var model = BuildModel(settings);
        return new RunOptions
        {
            RunDirectory = settings.Get(Keys.RunDirectory),
            ShutdownTimeout = settings.Get(Keys.ShutdownTimeout),
            LogLevel = (int)settings.Get(Keys.LogLevel),
            Model = model,
            InitialWeights = settings.Get(Keys.Weights) is var weights and not "random" ? weights : null,
            Data = BuildData(settings),
            Optimizer = BuildOptimizer(settings),
            Training = BuildTraining(settings),
            Checkpoints = new CheckpointOptions
            {
                SaveSteps = settings.Get(Keys.SaveSteps),
                SaveInterval = settings.Get(Keys.SaveMinutes) is var minutes and > 0 ? TimeSpan.FromMinutes(minutes) : null,
                SaveTotalLimit = settings.GetInt32(Keys.SaveTotalLimit),
                LoadBestAtEnd = settings.Get(Keys.LoadBestAtEnd),
                RecordTokens = settings.Get(Keys.RecordTokens),
            },
            Faults = BuildFaults(settings),
            Evaluation = new EvaluationOptions
            {
                EvalSteps = settings.Get(Keys.EvalSteps),
                Batches = settings.GetInt32(Keys.EvalBatches),
                SamplePrompt = settings.Get(Keys.SamplePrompt),
                SampleTokens = settings.GetInt32(Keys.SampleTokens),
            },
        };
    }

    /// <param name="settings">The configuration.</param>
    /// <param name="onNotice">As <see cref="PipelineOptions.OnNotice"/>.</param>
    /// <exception cref="UserErrorException">The keys do not fit each other.</exception>
    public static PipelineOptions BuildData(Settings settings, Action<string>? onNotice = null) => new()
    {
        Instructions = settings.Get(Keys.HoldsInstructions) ? InstructionKeys.Build(settings) : null,
        Sources = [.. settings.Get(Keys.Sources).Select(entry => BuildSource(entry, settings))],
        Tokenizer = settings.Get(Keys.Tokenizer),
        BlockSize = settings.GetInt32(Keys.BlockSize),
        Rows = settings.GetInt32(Keys.BatchSize),
        Normalize = settings.Get(Keys.Normalize),
        AppendEndOfSentence = settings.Get(Keys.AppendEndOfSentence),
        ValidationFraction = settings.Get(settings.Get(Keys.HoldsInstructions) ? Keys.InstructionsHeldOut : Keys.ValidationFraction),
        ValidationRule = settings.Get(Keys.HeldOutRule),
        Shuffle = DocumentsShuffled(settings) is var documents and > 0
            ? new ShuffleOptions { Documents = documents, Bytes = settings.Get(Keys.ShuffleMegabytes) << 20, Seed = settings.Get(Keys.Seed) }
            : null,
        DocumentMask = settings.Get(Keys.DocumentMask),
        Http = HttpOptions.Default with { CacheFolder = settings.Get(Keys.HttpCache) is var folder and not "none" ? folder : null },
        TokenCache = settings.Get(Keys.TokenCache) is var cache and not "none" ? cache : null,
        Workers = settings.GetInt32(Keys.Workers) is var workers and > 0 ? workers : Environment.ProcessorCount,
        QueueCapacity = settings.GetInt32(Keys.QueueCapacity),
        OnNotice = onNotice,
    };

    /// <summary>Documents of a window; records of instructions all together.</summary>
    private static int DocumentsShuffled(Settings settings) => !settings.Get(Keys.HoldsInstructions)
        ? settings.GetInt32(Keys.ShuffleDocuments)
        : settings.Get(Keys.ShuffleInstructions) ? int.MaxValue : 0;

    private static SourceOptions BuildSource(SourceEntry entry, Settings settings)
    {
        if (entry.Paths.FirstOrDefault(Secrets.IsMasked) is { } masked)
            throw new UserErrorException(settings.Refuse(Keys.Sources, $"names {masked}, and a run's own {ResolvedConfiguration.FileName} leaves out what is secret in a URL: give the file that the run was started with"));
        return new()
        {
            Name = entry.Name,
            Paths = entry.Paths,
            Kind = entry.Kind,
            TextField = entry.TextField,
            Weight = entry.Weight,
            Epochs = checked((int)(entry.Epochs ?? settings.Get(Keys.Epochs))),
            Cleaning = settings.Get(Keys.HoldsInstructions) ? InstructionKeys.RefuseCleaning(entry, BuildCleaning(entry, settings), settings) : BuildCleaning(entry, settings),
        };
    }

    /// <summary>Null is the recipe's: short lines of Wikipedia's articles go, nothing else.</summary>
    private static CleaningOptions? BuildCleaning(SourceEntry entry, Settings settings)
    {
        var rules = (entry.Cleaning ?? settings.Get(Keys.Cleaning)).Options;
        var duplicates = (entry.Duplicates ?? settings.Get(Keys.Duplicates)).Options!;
        if (rules is null && !duplicates.IsOn)
            return null;
        rules ??= entry.Kind == SourceKind.Wikipedia ? CleaningOptions.Off with { MinimumLineCharacters = LineRules.RecipeMinimumCharacters } : CleaningOptions.Off;
        return rules with { Duplicates = duplicates, RejectedFile = settings.Get(Keys.RejectedFile) is var file and not "none" ? file : null };
    }

    public static TokenizerTrainingOptions BuildTokenizer(Settings settings) => new()
    {
        VocabularySize = settings.GetInt32(Keys.VocabularySize),
        CharacterCoverage = settings.Get(Keys.CharacterCoverage),
        ByteFallback = settings.Get(Keys.ByteFallback),
        AddDummyPrefix = settings.Get(Keys.AddDummyPrefix),
        InputSentenceSize = settings.GetInt32(Keys.InputSentenceSize),
        MaxPieceLength = settings.GetInt32(Keys.MaxPieceLength),
        Seed = settings.Get(Keys.Seed),
        Workers = settings.GetInt32(Keys.Workers) is var workers and > 0 ? workers : Environment.ProcessorCount,
    };

    public static MetricsOptions BuildMetrics(Settings settings)
        => new(settings.Get(Keys.MetricsEnabled), settings.Get(Keys.MetricsHost), settings.GetInt32(Keys.MetricsPort))
        {
            Gpus = settings.Get(Keys.MetricsGpus),
            PeakFlops = settings.Get(Keys.PeakTeraflops) is var teraflops and > 0 ? teraflops * 1e12 : null,
        };

    public static OptimizerOptions BuildOptimizer(Settings settings) => new()
    {
        Kind = settings.Get(Keys.Optimizer),
        Beta1 = settings.Get(Keys.Beta1),
        Beta2 = settings.Get(Keys.Beta2),
        Epsilon = settings.Get(Keys.Epsilon),
        WeightDecay = settings.Get(Keys.WeightDecay),
        Decay = settings.Get(Keys.Decay),
        MaxGradientNorm = settings.Get(Keys.MaxGradientNorm),
    };

    public static TrainingOptions BuildTraining(Settings settings) => new()
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
        Offload = settings.Get(Keys.Offload),
        Recompute = settings.Get(Keys.Recompute),
        Lora = BuildLora(settings),
        MemoryLimit = settings.Get(Keys.MemoryLimit),
        LoggingSteps = settings.GetInt32(Keys.LoggingSteps),
        MaxRollbacks = settings.GetInt32(Keys.MaxRollbacks),
        RestartDelay = settings.Get(Keys.RestartDelay),
        SpikeZScore = settings.Get(Keys.SpikeZScore),
        SpikeWindow = settings.GetInt32(Keys.SpikeWindow),
        SpikeSkipSteps = settings.GetInt32(Keys.SpikeSkipSteps),
        Resume = settings.Get(Keys.Resume),
    };

    private static LoraOptions? BuildLora(Settings settings) => settings.Get(Keys.LoraRank) is not { } rank ? null : new()
    {
        Rank = (int)rank,
        Alpha = settings.Get(Keys.LoraAlpha),
        Dropout = settings.Get(Keys.LoraDropout),
        TargetModules = settings.Get(Keys.LoraTargets),
    };

    private static FaultOptions? BuildFaults(Settings settings)
    {
        if (settings.Get(Keys.FaultPlan) is not (var plan and not "none"))
            return null;
        try
        {
            FaultPlan.Parse(plan, 0);
        }
        catch (FormatException mistake)
        {
            throw new UserErrorException(settings.Refuse(Keys.FaultPlan, $"cannot be used: {mistake.Message}"));
        }
        return new FaultOptions(plan, settings.GetInt32(Keys.FaultSeed));
    }

    public static MistralConfig BuildModel(Settings settings)
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
