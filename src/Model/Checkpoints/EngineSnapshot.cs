using System.Diagnostics;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Parameters;

namespace Streaming.Model.Checkpoints;

/// <summary>
/// An engine's state at one step, apart from the engine: training goes on while it is written. Several may hold it; its memory
/// is free once the last one lets go.
/// </summary>
public abstract class EngineSnapshot(MistralConfig model, AdapterSet? adapters = null) : IWeightSource
{
    private int _holders = 1;
    private long _stalledTicks;

    public MistralConfig Model => model;

    /// <summary>The adapters that it is the state of; null where it is a whole model's.</summary>
    public AdapterSet? Adapters => adapters;

    /// <summary>Optimiser steps that the engine had taken.</summary>
    public long OptimizerStep { get; protected set; }

    /// <summary>The engine's loss scale; null where it has none.</summary>
    public LossScaling? LossScale { get; protected set; }

    /// <summary>The engine's <see cref="ITrainingEngine.Magnitudes"/>.</summary>
    public float[]? Magnitudes { get; internal set; }

    /// <summary>By the order of the checkpoint's files. Readable on any threads at once, after <see cref="Wait"/>.</summary>
    public abstract IReadOnlyList<ParameterSnapshot> Parameters { get; }

    /// <summary>Time that training has stood still for the copy so far.</summary>
    public TimeSpan Stall => TimeSpan.FromTicks(Interlocked.Read(ref _stalledTicks));

    /// <summary>Float32 values a parameter has in it: weight, first and second moment.</summary>
    public const int ValuesPerParameter = 3;

    /// <summary>Elements of all parameters in it.</summary>
    public long ParameterCount => Parameters.Sum(parameter => parameter.Count);

    /// <summary>Copies an engine's weights and moments to the host and returns once they are there. Call it on the engine's thread, between steps.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="reuse">An older snapshot made here of the same engine, that nobody reads any more: it is overwritten and returned.</param>
    public static EngineSnapshot Take(ITrainingEngine engine, EngineSnapshot? reuse = null) => HostSnapshot.Take(engine, reuse);

    /// <summary>Waits until the copy is complete; called by whoever reads it, on any thread.</summary>
    public virtual void Wait()
    {
    }

    /// <summary>One more holds it.</summary>
    public EngineSnapshot Hold()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    /// <summary>One holds it no longer.</summary>
    public void Release()
    {
        var holders = Interlocked.Decrement(ref _holders);
        Released(holders);
        if (holders == 0)
            Free();
    }

    /// <summary>How many hold it.</summary>
    protected int Holders => Volatile.Read(ref _holders);

    /// <summary>One let go, on any thread.</summary>
    /// <param name="holders">How many still hold it.</param>
    protected virtual void Released(int holders)
    {
    }

    public void Read(ModelParameter parameter, Span<float> destination) =>
        Parameters.First(candidate => candidate.Name == parameter.Name).Read(StateKind.Weight, destination);

    /// <summary>Notes that training stood still from a <see cref="Stopwatch"/>'s time until now.</summary>
    protected void AddStall(long since) => Interlocked.Add(ref _stalledTicks, Stopwatch.GetElapsedTime(since).Ticks);

    /// <summary>Forgets the time of an earlier use.</summary>
    protected void ClearStall() => Interlocked.Exchange(ref _stalledTicks, 0);

    /// <summary>Nobody reads it any more.</summary>
    protected virtual void Free()
    {
    }
}

/// <summary>One parameter of a snapshot, in float32 whatever it is kept in.</summary>
public abstract class ParameterSnapshot(string name, IReadOnlyList<long> shape)
{
    public string Name => name;

    public IReadOnlyList<long> Shape => shape;

    public long Count { get; } = shape.Aggregate(1L, (product, size) => product * size);

    /// <summary>A copy of the weight.</summary>
    public float[] Weight => Copy(StateKind.Weight);

    /// <summary>A copy of the first moment.</summary>
    public float[] FirstMoment => Copy(StateKind.FirstMoment);

    /// <summary>A copy of the second moment.</summary>
    public float[] SecondMoment => Copy(StateKind.SecondMoment);

    /// <param name="kind">Weight or a moment.</param>
    /// <param name="destination">Takes all <see cref="Count"/> values.</param>
    public abstract void Read(StateKind kind, Span<float> destination);

    private float[] Copy(StateKind kind)
    {
        var values = new float[Count];
        Read(kind, values);
        return values;
    }
}
