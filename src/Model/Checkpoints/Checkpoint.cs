using System.Globalization;
using System.Runtime.InteropServices;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Checkpoints;

/// <summary>A checkpoint on disk whose files are all there and as they were written.</summary>
public sealed class Checkpoint
{
    internal const string Weights = "model.safetensors", Optimizer = "optimizer.safetensors", Config = "config.json";
    internal const string State = "state.json", Tokenizer = "tokenizer.model", JsonTokenizer = "tokenizer.json", Pipeline = "pipeline";

    // Names of torch.optim.AdamW's state, before the parameter's.
    internal const string FirstMoment = "exp_avg.", SecondMoment = "exp_avg_sq.", OptimizerStep = "step";

    // Of fp16 training, beside the step: torch.amp.GradScaler's state.
    internal const string LossScale = "loss_scale", LossScaleGoodSteps = "loss_scale_good_steps", Magnitudes = "fp8_magnitudes";

    private static readonly string[] Required = [Optimizer, Config, State];

    private Checkpoint(string folder, MistralConfig model, TrainingState training, bool isOfAdapters) =>
        (Folder, Model, Training, IsOfAdapters) = (folder, model, training, isOfAdapters);

    public string Folder { get; }
    public MistralConfig Model { get; }
    public TrainingState Training { get; }

    /// <summary>It holds adapters for a model that lies elsewhere, instead of a model.</summary>
    public bool IsOfAdapters { get; }

    /// <summary>The tokenizer's file in the checkpoint; null where none was stored.</summary>
    public string? TokenizerPath => File.Exists(Path.Combine(Folder, Tokenizer)) ? Path.Combine(Folder, Tokenizer) : null;

    /// <summary>The folder of what the text path keeps beside its cursor; null where it keeps nothing.</summary>
    public string? PipelinePath => Directory.Exists(Path.Combine(Folder, Pipeline)) ? Path.Combine(Folder, Pipeline) : null;

    /// <summary>Opens a checkpoint and verifies the size and SHA-256 of each of its files.</summary>
    /// <param name="path">A <c>step-…</c> folder, or <c>latest</c>.</param>
    /// <exception cref="CheckpointException">Something is missing or damaged; says what.</exception>
    public static Checkpoint Open(string path)
    {
        var folder = DurableFiles.Resolve(path);
        if (!Directory.Exists(folder))
            throw new CheckpointException($"there is no checkpoint at {path}");
        var checksums = Checksums.Load(folder);
        var isOfAdapters = checksums.Names.Contains(AdapterFolder.Config);
        string[] weights = isOfAdapters ? [AdapterFolder.Weights] : [Weights];
        if (weights.Concat(Required).Except(checksums.Names).FirstOrDefault() is { } missing)
            throw new CheckpointException($"{Path.Combine(folder, Checksums.FileName)} does not list {missing}: the checkpoint is not whole");
        checksums.Verify(folder);
        return new Checkpoint(folder, MistralConfig.Load(folder), TrainingState.Load(Path.Combine(folder, State)), isOfAdapters);
    }

    /// <summary>
    /// Puts weights, moments, the count of optimiser steps, the loss scale and the magnitudes of fp8 into an engine of the same model. One that keeps its
    /// moments otherwise takes what it can of them, and one without a stored loss scale begins with its own.
    /// </summary>
    /// <exception cref="ModelException">Another model, or files that do not belong together.</exception>
    public void RestoreInto(ITrainingEngine engine)
    {
        ModelDifference.Refuse(Folder, Model, engine.Model);
        AdapterDifference.Refuse(this, engine.Adapters);
        using var adapters = IsOfAdapters ? AdapterFolder.Open(Folder, Model) : null;
        using var whole = IsOfAdapters ? null : SafetensorsWeights.Open(Path.Combine(Folder, Weights));
        using var optimizer = SafetensorsFile.Open(Path.Combine(Folder, Optimizer));
        IWeightSource source = adapters is not null ? adapters : new CheckpointWeights(Model, whole!); // checks all before the first is overwritten
        var parameters = adapters is not null ? AdaptedMatrix.ParametersOf(Model, adapters.Lora) : ModelParameter.Of(Model);
        foreach (var parameter in parameters)
        {
            _ = optimizer[FirstMoment + parameter.Name];
            _ = optimizer[SecondMoment + parameter.Name];
        }
        if (!optimizer.Metadata.TryGetValue(OptimizerStep, out var text) || !long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var step))
            throw new CheckpointException($"{optimizer.Path} does not say how many steps the optimiser has taken");

        var states = engine.Parameters.ToDictionary(state => state.Name);
        foreach (var parameter in parameters)
        {
            var state = states[parameter.Name];
            var values = new float[parameter.Count];
            source.Read(parameter, values);
            state.Write(StateKind.Weight, values);
            optimizer.Read(FirstMoment + parameter.Name, values);
            state.Write(StateKind.FirstMoment, values);
            optimizer.Read(SecondMoment + parameter.Name, values);
            state.Write(StateKind.SecondMoment, values);
        }
        engine.Step = step;
        if (StoredLossScale(optimizer) is { } scaling)
            engine.LossScale = scaling;
        engine.Magnitudes = StoredMagnitudes(optimizer);
    }

    private static float[]? StoredMagnitudes(SafetensorsFile optimizer)
    {
        if (!optimizer.Metadata.TryGetValue(Magnitudes, out var text))
            return null;
        try
        {
            return MemoryMarshal.Cast<byte, float>(Convert.FromBase64String(text)).ToArray();
        }
        catch (FormatException)
        {
            throw new CheckpointException($"{optimizer.Path} holds magnitudes that are none: {Magnitudes} must be base64 of float32 values");
        }
    }

    private static LossScaling? StoredLossScale(SafetensorsFile optimizer)
    {
        if (!optimizer.Metadata.TryGetValue(LossScale, out var text))
            return null;
        if (!float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var scale) || !(scale >= 1 && float.IsFinite(scale))
            || !optimizer.Metadata.TryGetValue(LossScaleGoodSteps, out text) || !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var steps))
            throw new CheckpointException($"{optimizer.Path} holds a loss scale that is none: {LossScale} must be a number from 1 on, {LossScaleGoodSteps} a count");
        return new(scale, steps);
    }
}
