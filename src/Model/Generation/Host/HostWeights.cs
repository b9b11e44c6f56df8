using System.Runtime.InteropServices;
using Streaming.Model.Adapters;
using Streaming.Model.Parameters;
using Streaming.Model.Safetensors;

namespace Streaming.Model.Generation.Host;

/// <summary>
/// A model's weights where the processor multiplies them: float32 and bf16 tensors of a safetensors file stay in its memory
/// map, so that opening costs nothing and processes share one copy; others, and those that adapters change, are copied as float32.
/// </summary>
internal sealed unsafe class HostWeights : IDisposable
{
    private readonly ModelWeights? _files;
    private readonly List<nint> _copies = [];
    private readonly Dictionary<string, HostMatrix> _byName = new(StringComparer.Ordinal);

    private HostWeights(ModelWeights? files) => _files = files;

    /// <summary>A parameter; a norm is a matrix of one row.</summary>
    public HostMatrix this[string name] => _byName[name];

    /// <summary>Opens the weights of a Hugging Face folder, checked as a whole.</summary>
    /// <exception cref="ModelException">Missing, damaged or of another shape.</exception>
    public static HostWeights Open(MistralConfig model, string folder)
    {
        var files = ModelWeights.Open(model, folder);
        var weights = new HostWeights(files);
        try
        {
            foreach (var parameter in ModelParameter.Of(model))
            {
                if (files.Mapped(parameter) is (var data, (TensorType.F32 or TensorType.BF16) and var type))
                    weights.Add(parameter, data, type);
                else
                    weights.AddCopy(parameter, files);
            }
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Copies weights from anywhere.</summary>
    public static HostWeights Copy(MistralConfig model, IWeightSource source)
    {
        var weights = new HostWeights(files: null);
        try
        {
            foreach (var parameter in ModelParameter.Of(model))
                weights.AddCopy(parameter, source);
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private void AddCopy(ModelParameter parameter, IWeightSource source)
    {
        if (parameter.Count > int.MaxValue)
            throw new ModelException($"'{parameter.Name}' has {parameter.Count} elements, more than {int.MaxValue}: store the model in bf16 or float32");
        var copy = NativeMemory.AlignedAlloc((nuint)parameter.Count * sizeof(float), 64);
        _copies.Add((nint)copy);
        source.Read(parameter, new Span<float>(copy, (int)parameter.Count));
        Add(parameter, (nint)copy, TensorType.F32);
    }

    private void Add(ModelParameter parameter, nint data, TensorType type)
    {
        var rows = parameter.Shape.Count > 1 ? (int)parameter.Shape[0] : 1;
        _byName.Add(parameter.Name, new HostMatrix(data, type, rows, (int)parameter.Shape[^1]));
    }

    public void Dispose()
    {
        foreach (var copy in _copies)
            NativeMemory.AlignedFree((void*)copy);
        _copies.Clear();
        _byName.Clear();
        _files?.Dispose();
    }
}
