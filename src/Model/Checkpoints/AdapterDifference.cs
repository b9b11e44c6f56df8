using System.Globalization;
using Streaming.Model.Adapters;

namespace Streaming.Model.Checkpoints;

/// <summary>Tells whether a checkpoint is of what a run trains: the model, or these adapters.</summary>
public static class AdapterDifference
{
    /// <summary>By the settings alone, before the base model is looked at.</summary>
    /// <exception cref="CheckpointException">It is of something else; the message names the key.</exception>
    public static void Refuse(Checkpoint checkpoint, LoraOptions? wanted)
    {
        if (!checkpoint.IsOfAdapters)
        {
            if (wanted is null) return;
            throw new CheckpointException($"{checkpoint.Folder} holds a whole model's training, and training.lora trains adapters: set model.weights to that folder to tune what it holds, and choose another run directory");
        }
        using var stored = AdapterFolder.Open(checkpoint.Folder, checkpoint.Model);
        if (wanted is null)
            throw new CheckpointException(string.Create(CultureInfo.InvariantCulture,
                $"{checkpoint.Folder} holds adapters, and training.lora.rank is none: set it to {stored.Lora.Rank}, or choose another run directory"));
        if (wanted.DifferenceFrom(stored.Lora) is (var key, var here, var there))
            throw new CheckpointException(string.Create(CultureInfo.InvariantCulture,
                $"{checkpoint.Folder} holds other adapters: training.lora.{key} is {there} there and {here} in this run; choose another run directory, or the value that belongs to it"));
    }

    /// <summary>Likewise, and whether they belong to the same base model.</summary>
    /// <exception cref="CheckpointException">It is of something else.</exception>
    public static void Refuse(Checkpoint checkpoint, AdapterSet? wanted)
    {
        Refuse(checkpoint, wanted?.Lora);
        if (wanted is null) return;
        using var stored = AdapterFolder.Open(checkpoint.Folder, checkpoint.Model);
        if (stored.Fingerprint is { } fingerprint && fingerprint != wanted.Fingerprint)
            throw new CheckpointException($"{checkpoint.Folder} holds adapters for other weights than those in {wanted.Base}: set model.weights to those that they were trained upon ({stored.Base}), or choose another run directory");
    }
}
