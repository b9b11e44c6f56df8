using System.Runtime.InteropServices;
using Streaming.Model.Parameters;

namespace Streaming.Model.Fused;

/// <summary>
/// A model's first weights as the device keeps them, made on other threads: drawing or reading, splitting and laying out take as long as
/// loading libtorch, and need none of it. Padding is zero.
/// </summary>
public sealed unsafe class PreparedWeights : IDisposable
{
    private const int PieceElements = 1 << 18;

    private readonly MistralConfig _model;
    private readonly ParameterLayout _layout;
    private readonly CancellationTokenSource _cancellation = new();
    private readonly Task _work;
    private ushort* _high;
    private short* _low;

    /// <summary>Begins. The source is read by one thread, until <see cref="Dispose"/> has returned.</summary>
    /// <exception cref="NotSupportedException">The fused engine cannot compute the model's shape.</exception>
    public PreparedWeights(MistralConfig model, IWeightSource source)
    {
        _model = model;
        _layout = new ParameterLayout(FusedShape.From(model));
        _high = (ushort*)NativeMemory.AllocZeroed((nuint)_layout.Count, sizeof(ushort));
        _low = (short*)NativeMemory.AllocZeroed((nuint)_layout.Count, sizeof(short));
        _work = Task.Factory.StartNew(() => Fill(source), _cancellation.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Elements of each half.</summary>
    public long Count => _layout.Count;

    /// <summary>Waits; addresses of the upper and the lower halves in the order of <see cref="ParameterLayout"/>, valid until <see cref="Dispose"/>.</summary>
    /// <exception cref="Exception">What the source failed with.</exception>
    public (nint High, nint Low) Wait()
    {
        _work.GetAwaiter().GetResult();
        return ((nint)_high, (nint)_low);
    }

    private void Fill(IWeightSource source)
    {
        var parameters = ModelParameter.Of(_model).ToDictionary(parameter => parameter.Name, StringComparer.Ordinal);
        var largest = _layout.Entries.Max(entry => entry.Count);
        var values = (float*)NativeMemory.Alloc((nuint)largest, sizeof(float));
        try
        {
            foreach (var entry in _layout.Entries)
            {
                _cancellation.Token.ThrowIfCancellationRequested();
                var count = (int)entry.Count;
                source.Read(parameters[entry.Name], new Span<float>(values, count));
                Parallel.For(0, (count + PieceElements - 1) / PieceElements, piece =>
                {
                    var start = piece * PieceElements;
                    var length = Math.Min(PieceElements, count - start);
                    MasterWeight.Split(new ReadOnlySpan<float>(values + start, length),
                        new Span<ushort>(_high + entry.Offset + start, length), new Span<short>(_low + entry.Offset + start, length));
                });
            }
        }
        finally
        {
            NativeMemory.Free(values);
        }
    }

    /// <summary>Stops the work and gives the memory back.</summary>
    public void Dispose()
    {
        if (_high == null) return;
        _cancellation.Cancel();
        try
        {
            _work.Wait();
        }
        catch (AggregateException)
        {
            // Cancelled, or failed: Wait has told whoever asked.
        }
        NativeMemory.Free(_high);
        NativeMemory.Free(_low);
        _high = null;
        _low = null;
        _cancellation.Dispose();
    }
}
