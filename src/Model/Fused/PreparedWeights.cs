using System.Runtime.InteropServices;
using Streaming.Model.Fused.Offload;
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
    private readonly ushort* _high;
    private readonly void* _low;
    private readonly bool _isFrozen;
    private HostBlock? _highBlock, _lowBlock;
    private bool _disposed;

    /// <summary>Begins. The source is read by one thread, until <see cref="Dispose"/> has returned.</summary>
    /// <param name="model">The model.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="halfPrecision">fp16 weights beside whole float32 masters, instead of float32 in two halves.</param>
    /// <param name="isFrozen">They are not trained: of matrices the upper halves are enough, and the lower ones take no memory.</param>
    /// <exception cref="NotSupportedException">The fused engine cannot compute the model's shape.</exception>
    public PreparedWeights(MistralConfig model, IWeightSource source, bool halfPrecision = false, bool isFrozen = false)
    {
        (_model, _isFrozen) = (model, isFrozen);
        IsHalfPrecision = halfPrecision;
        _layout = new ParameterLayout(FusedShape.From(model));
        _highBlock = new HostBlock(_layout.Count * sizeof(ushort));
        try
        {
            _lowBlock = new HostBlock(_layout.Count * FlatBuffers.LowBytesFor(halfPrecision));
        }
        catch
        {
            _highBlock.Dispose();
            throw;
        }
        _high = (ushort*)_highBlock.Address;
        _low = (void*)_lowBlock.Address;
        _work = Task.Factory.StartNew(() => Fill(source), _cancellation.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Elements of each half.</summary>
    public long Count => _layout.Count;

    /// <summary>The upper halves are fp16, the lower ones float32.</summary>
    public bool IsHalfPrecision { get; }

    /// <summary>Waits; addresses of the upper and the lower halves in the order of <see cref="ParameterLayout"/>, valid until <see cref="Dispose"/>.</summary>
    /// <exception cref="Exception">What the source failed with.</exception>
    public (nint High, nint Low) Wait()
    {
        _work.GetAwaiter().GetResult();
        return ((nint)_high, (nint)_low);
    }

    /// <summary>Makes the memory the caller's, who gives it back once this is disposed; it goes on being filled.</summary>
    internal (HostBlock High, HostBlock Low) TakeOver()
    {
        var (high, low) = (_highBlock, _lowBlock);
        (_highBlock, _lowBlock) = (null, null);
        return (high ?? throw new InvalidOperationException("the weights' memory is another's already"), low!);
    }

    /// <summary>Likewise the upper halves' alone.</summary>
    internal HostBlock TakeOverHigh()
    {
        var high = _highBlock ?? throw new InvalidOperationException("the weights' memory is another's already");
        _highBlock = null;
        return high;
    }

    /// <summary>Stops the work, so that nothing is written any more.</summary>
    internal void Cancel()
    {
        _cancellation.Cancel();
        try
        {
            _work.Wait();
        }
        catch (AggregateException)
        {
            // Cancelled, or failed: Wait has told whoever asked.
        }
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
                    Split(new ReadOnlySpan<float>(values + start, length), entry.Offset + start);
                });
            }
        }
        finally
        {
            NativeMemory.Free(values);
        }
    }

    private void Split(ReadOnlySpan<float> values, long offset)
    {
        var high = new Span<ushort>(_high + offset, values.Length);
        var isWhole = !_isFrozen || offset < _layout.LayersBegin || offset >= _layout.Norms;
        if (!IsHalfPrecision && !isWhole)
        {
            for (var i = 0; i < values.Length; i++) high[i] = MasterWeight.Split(values[i]).High;
            return;
        }
        if (!IsHalfPrecision)
        {
            MasterWeight.Split(values, high, new Span<short>((short*)_low + offset, values.Length));
            return;
        }
        if (isWhole) values.CopyTo(new Span<float>((float*)_low + offset, values.Length));
        for (var i = 0; i < values.Length; i++) high[i] = BitConverter.HalfToUInt16Bits((Half)values[i]);
    }

    /// <summary>Stops the work and gives the memory back.</summary>
    public void Dispose()
    {
        if (_disposed) return;
        _disposed = true;
        Cancel();
        _highBlock?.Dispose();
        _lowBlock?.Dispose();
        _cancellation.Dispose();
    }
}
