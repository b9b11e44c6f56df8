using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Streaming.Model.Adapters;
using Streaming.Model.Engines;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Checkpoints;

/// <summary>Writes the files of one checkpoint into a folder, each synced to disk; the weights and the moments at the same time.</summary>
/// <param name="folder">Exists and is empty.</param>
/// <param name="snapshot">The engine's state; waited for here.</param>
/// <param name="before">Called with each file's path before it is written; may throw.</param>
/// <param name="givenUp">The files are not wanted any more.</param>
internal sealed class CheckpointFiles(string folder, EngineSnapshot snapshot, Action<string>? before, CancellationToken givenUp)
{
    private readonly Checksums _sums = new();

    /// <exception cref="NonFiniteWeightsException">A weight is not a number.</exception>
    /// <exception cref="OperationCanceledException">The files are not wanted any more.</exception>
    public void Write(
        TrainingState state, string? tokenizer, IReadOnlyList<(string Name, Action<Stream> Write)> pipeline, IReadOnlyList<(string Name, byte[] Bytes)> beside)
    {
        WriteFile(Checkpoint.Config, stream => stream.Write(Encoding.UTF8.GetBytes(MistralConfigJson.Write(snapshot.Model, "float32"))));
        if (snapshot.Adapters is { } adapters)
            WriteFile(AdapterFolder.Config, stream => stream.Write(AdapterConfigJson.Write(adapters)));
        snapshot.Wait();
        InParallel(
            () => WriteFile(snapshot.Adapters is null ? Checkpoint.Weights : AdapterFolder.Weights, WriteWeights),
            () => WriteFile(Checkpoint.Optimizer, WriteMoments));
        if (tokenizer is not null)
        {
            using var source = File.OpenRead(tokenizer);
            WriteFile(Path.GetExtension(tokenizer) is ".json" ? Checkpoint.JsonTokenizer : Checkpoint.Tokenizer, source.CopyTo);
        }
        foreach (var (name, bytes) in beside)
            WriteFile(name, stream => stream.Write(bytes));
        if (pipeline.Count > 0)
        {
            var below = Path.Combine(folder, Checkpoint.Pipeline);
            Directory.CreateDirectory(below);
            foreach (var (name, write) in pipeline)
                WriteFile($"{Checkpoint.Pipeline}/{name}", write);
            DurableFiles.SyncFolder(below);
        }
        WriteFile(Checkpoint.State, stream => stream.Write(state.ToJson()));
        before?.Invoke(Path.Combine(folder, Checksums.FileName));
        _sums.Save(folder);
        DurableFiles.SyncFolder(folder);
    }

    private void WriteFile(string name, Action<Stream> write)
    {
        before?.Invoke(Path.Combine(folder, name));
        givenUp.ThrowIfCancellationRequested();
        _sums.WriteFile(folder, name, write, givenUp);
    }

    private void WriteWeights(Stream stream)
    {
        var writer = SafetensorsWriter.Begin(stream, snapshot.Parameters.Select(parameter => (parameter.Name, TensorType.F32, parameter.Shape)),
            snapshot.Adapters is { } adapters ? new Dictionary<string, string> { [AdapterFolder.BaseFingerprintKey] = adapters.Fingerprint } : null);
        var values = new float[snapshot.Parameters.Max(parameter => parameter.Count)];
        foreach (var parameter in snapshot.Parameters)
        {
            givenUp.ThrowIfCancellationRequested();
            var weight = values.AsSpan(0, (int)parameter.Count);
            parameter.Read(StateKind.Weight, weight);
            if (!AllFinite(weight))
                throw new NonFiniteWeightsException(parameter.Name);
            writer.Write(weight);
        }
        writer.Complete();
    }

    private void WriteMoments(Stream stream)
    {
        var writer = SafetensorsWriter.Begin(
            stream,
            snapshot.Parameters.SelectMany(parameter => new[]
            {
                (Checkpoint.FirstMoment + parameter.Name, TensorType.F32, parameter.Shape),
                (Checkpoint.SecondMoment + parameter.Name, TensorType.F32, parameter.Shape),
            }),
            OptimizerMetadata());
        var values = new float[snapshot.Parameters.Max(parameter => parameter.Count)];
        foreach (var parameter in snapshot.Parameters)
        {
            givenUp.ThrowIfCancellationRequested();
            var moment = values.AsSpan(0, (int)parameter.Count);
            parameter.Read(StateKind.FirstMoment, moment);
            writer.Write(moment);
            parameter.Read(StateKind.SecondMoment, moment);
            writer.Write(moment);
        }
        writer.Complete();
    }

    private Dictionary<string, string> OptimizerMetadata()
    {
        var metadata = new Dictionary<string, string> { [Checkpoint.OptimizerStep] = snapshot.OptimizerStep.ToString(CultureInfo.InvariantCulture) };
        if (snapshot.LossScale is { } scaling)
        {
            metadata[Checkpoint.LossScale] = scaling.Scale.ToString("R", CultureInfo.InvariantCulture);
            metadata[Checkpoint.LossScaleGoodSteps] = scaling.GoodSteps.ToString(CultureInfo.InvariantCulture);
        }
        if (snapshot.Magnitudes is { } magnitudes)
            metadata[Checkpoint.Magnitudes] = Convert.ToBase64String(MemoryMarshal.AsBytes(magnitudes.AsSpan()));
        return metadata;
    }

    private static void InParallel(Action one, Action other)
    {
        var second = Task.Factory.StartNew(other, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            one();
        }
        finally
        {
            ((IAsyncResult)second).AsyncWaitHandle.WaitOne();
        }
        second.GetAwaiter().GetResult();
    }

    /// <summary>Zero times a number is zero, unless the number is none.</summary>
    private static bool AllFinite(ReadOnlySpan<float> values)
    {
        var sum = Vector<float>.Zero;
        var vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        foreach (var vector in vectors)
            sum += vector * Vector<float>.Zero;
        foreach (var value in values[(vectors.Length * Vector<float>.Count)..])
            sum += new Vector<float>(value * 0);
        return Vector.EqualsAll(sum, Vector<float>.Zero);
    }
}
