using Streaming.Model.Adapters;
using Streaming.Model.Checkpoints;

namespace Streaming.Model.Engines;

/// <summary>
/// Computes one model's training on one device. Every member is called on the thread that created the engine.
/// A step is <see cref="Accumulate"/> once per micro-batch, then <see cref="Update"/>.
/// </summary>
public interface ITrainingEngine : IDisposable
{
    MistralConfig Model { get; }

    /// <summary>What computes, for people: <c>reference, float32, cpu</c>.</summary>
    string Description { get; }

    /// <summary>Parameters of the model, adapters not counted.</summary>
    long ParameterCount { get; }

    /// <summary>The adapters that are trained, while the model stays as it is; null where the model itself is.</summary>
    AdapterSet? Adapters => null;

    /// <summary>Forward and backward pass of one micro-batch; its gradient counts as 1/<paramref name="microBatches"/> of the step's.</summary>
    /// <param name="batch">Tokens; labels are the same tokens, shifted inside, as Transformers does. Where nothing is predicted nothing is added.</param>
    /// <param name="microBatches">Micro-batches in this step.</param>
    void Accumulate(MicroBatch batch, int microBatches);

    /// <summary>Clips the accumulated gradient by its global norm, updates the weights, clears the gradient.</summary>
    /// <param name="learningRate">The step's learning rate.</param>
    StepResult Update(double learningRate);

    /// <summary>Mean cross-entropy in nats per predicted token, 0 where nothing is predicted; changes nothing.</summary>
    double Evaluate(MicroBatch batch);

    /// <summary>Optimiser steps taken, without skipped ones: what bias correction counts.</summary>
    long Step { get; set; }

    /// <summary>The loss scale of fp16 training; null in other types, where setting it does nothing.</summary>
    LossScaling? LossScale
    {
        get => null;
        set { }
    }

    /// <summary>What fp8 training has seen of its tensors' magnitudes, which their scales follow; null in other types, where setting it does nothing.</summary>
    float[]? Magnitudes
    {
        get => null;
        set { }
    }

    /// <summary>
    /// Begins to copy weights, moments, the count of steps, the loss scale and the magnitudes. Passes may go on at once; the next <see cref="Update"/>
    /// waits where the copy is not complete. Where the engine has no way of its own, the copy is complete when this returns.
    /// </summary>
    /// <param name="reuse">An older snapshot of this engine that nobody reads any more: its memory is used again.</param>
    EngineSnapshot Capture(EngineSnapshot? reuse = null) => EngineSnapshot.Take(this, reuse);

    /// <summary>Gets the memory that <see cref="Capture"/> needs, on another thread, so that the first one does not wait for it.</summary>
    void PrepareCapture()
    {
    }

    /// <summary>The state a checkpoint holds, of what is trained: float32 weights and moments by parameter name, in the checkpoint's order.</summary>
    IReadOnlyList<IParameterState> Parameters { get; }
}

/// <summary>One parameter's state, readable and writable in float32 wherever it lives.</summary>
public interface IParameterState
{
    /// <summary>Name as in the Hugging Face checkpoint, e.g. <c>model.layers.0.self_attn.q_proj.weight</c>.</summary>
    string Name { get; }

    IReadOnlyList<long> Shape { get; }

    void Read(StateKind kind, Span<float> destination);

    void Write(StateKind kind, ReadOnlySpan<float> source);
}

/// <summary>Which of a parameter's buffers.</summary>
public enum StateKind
{
    /// <summary>The weight in float32 (the master weight where the model computes in less).</summary>
    Weight,

    /// <summary>AdamW's running mean of the gradient; Muon's momentum.</summary>
    FirstMoment,

    /// <summary>AdamW's running mean of the squared gradient; zero where Muon updates.</summary>
    SecondMoment,

    /// <summary>The accumulated gradient since the last update; read only.</summary>
    Gradient,
}

/// <param name="Loss">Mean over the step's micro-batches, nats per predicted token.</param>
/// <param name="GradientNorm">Global L2 norm before clipping.</param>
/// <param name="Skipped">The update was not applied because the gradient was not finite (fp16 overflow).</param>
public readonly record struct StepResult(float Loss, float GradientNorm, bool Skipped);
