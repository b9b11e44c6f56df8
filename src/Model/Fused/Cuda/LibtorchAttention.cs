using System.Runtime.InteropServices;
using TorchSharp;

namespace Streaming.Model.Fused.Cuda;

/// <summary>Which of libtorch's attention kernels computes.</summary>
public enum AttentionKernel
{
    /// <summary>cuDNN's fused attention: the fastest on Hopper; causal over the whole row.</summary>
    Cudnn,

    /// <summary>FlashAttention-2 (Dao 2023): sliding windows, and deterministic GPUs older than cuDNN supports.</summary>
    Flash2,
}

/// <summary>
/// Causal grouped-query attention on packed rows (N, (H + 2 G) K) by the kernels inside libtorch, through its C shim: an
/// AtenTensorHandle over our memory costs nothing, results are libtorch's tensors and stay until released.
/// </summary>
internal sealed unsafe class LibtorchAttention : IDisposable
{
    private readonly FusedShape _shape;
    private readonly CudaDevice _device;
    private readonly int _rows, _tokens, _type, _boundaryType, _cuda;
    private readonly nint _streamGuard, _undefined;
    private readonly double _scale;
    private AttentionKernel _kernel;
    private nint _boundaries;

    private readonly delegate* unmanaged<void*, long, long*, long*, long, int, int, int, nint*, int> _fromBlob;
    private readonly delegate* unmanaged<nint, nint*, int> _dataPointer;
    private readonly delegate* unmanaged<nint, int> _delete;
    private readonly delegate* unmanaged<nint, int> _deleteGuard;
    private readonly delegate* unmanaged<nint, nint, nint, nint*, int, double, int, int, double*, nint*, nint*, nint*, nint*, long*, long*, nint*, nint*, nint*, int> _cudnnForward;
    private readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, double*, nint*, nint*, nint*, int> _cudnnBackward;
    private readonly delegate* unmanaged<nint, nint, nint, nint*, nint*, long, long, double, int, int, double*, long*, long*, nint*, nint*, nint*, nint*, nint*, nint*, nint*, int> _flashForward;
    private readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, nint, nint, double*, long*, long*, nint*, nint*, nint*, int> _flashBackward;

    public LibtorchAttention(CudaDevice device, FusedShape shape, bool halfPrecision, int rows, int tokens, AttentionKernel kernel, bool deterministic)
    {
        (_device, _shape, _rows, _tokens, _kernel) = (device, shape, rows, tokens, kernel);
        _scale = 1.0 / Math.Sqrt(shape.HeadSize);
        torch.InitializeDeviceType(DeviceType.CUDA);
        using (var awake = torch.zeros(1, device: new torch.Device(DeviceType.CUDA, device.Ordinal))) awake.sum().Dispose();

        var cpu = NativeImages.Open("libtorch_cpu");
        var cuda = NativeImages.Open("libtorch_cuda.so");
        _fromBlob = (delegate* unmanaged<void*, long, long*, long*, long, int, int, int, nint*, int>)NativeLibrary.GetExport(cpu, "aoti_torch_create_tensor_from_blob");
        _dataPointer = (delegate* unmanaged<nint, nint*, int>)NativeLibrary.GetExport(cpu, "aoti_torch_get_data_ptr");
        _delete = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(cpu, "aoti_torch_delete_tensor_object");
        _type = ((delegate* unmanaged<int>)NativeLibrary.GetExport(cpu, halfPrecision ? "aoti_torch_dtype_float16" : "aoti_torch_dtype_bfloat16"))();
        _boundaryType = ((delegate* unmanaged<int>)NativeLibrary.GetExport(cpu, "aoti_torch_dtype_int32"))();
        _cuda = ((delegate* unmanaged<int>)NativeLibrary.GetExport(cpu, "aoti_torch_device_type_cuda"))();
        _deleteGuard = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(cuda, "aoti_torch_delete_cuda_stream_guard");
        nint undefined, guard;
        Check(((delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(cpu, "aoti_torch_new_uninitialized_tensor"))(&undefined), "create an undefined tensor");
        _undefined = undefined;
        Check(((delegate* unmanaged<nint, int, nint*, int>)NativeLibrary.GetExport(cuda, "aoti_torch_create_cuda_stream_guard"))(device.Stream, device.Ordinal, &guard), "set the stream");
        _streamGuard = guard;

        SetDeterministic(cpu, deterministic);
        const string prefix = "aoti_torch_cuda_";
        if (kernel == AttentionKernel.Cudnn)
        {
            _cudnnForward = (delegate* unmanaged<nint, nint, nint, nint*, int, double, int, int, double*, nint*, nint*, nint*, nint*, long*, long*, nint*, nint*, nint*, int>)
                NativeLibrary.GetExport(cuda, prefix + "_scaled_dot_product_cudnn_attention");
            _cudnnBackward = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, double*, nint*, nint*, nint*, int>)
                NativeLibrary.GetExport(cuda, prefix + "_scaled_dot_product_cudnn_attention_backward");
        }
        if (kernel == AttentionKernel.Flash2 || NativeLibrary.TryGetExport(cuda, prefix + "_flash_attention_forward", out _))
        {
            _flashForward = (delegate* unmanaged<nint, nint, nint, nint*, nint*, long, long, double, int, int, double*, long*, long*, nint*, nint*, nint*, nint*, nint*, nint*, nint*, int>)
                NativeLibrary.GetExport(cuda, prefix + "_flash_attention_forward");
            _flashBackward = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, nint, long, long, double, int, nint, nint, double*, long*, long*, nint*, nint*, nint*, int>)
                NativeLibrary.GetExport(cuda, prefix + "_flash_attention_backward");
        }
    }

    /// <summary>
    /// From here on attention stays within documents, by FlashAttention-2. Recorded calls read <paramref name="boundaries"/> when they
    /// are replayed, so that documents may differ each time.
    /// </summary>
    /// <param name="boundaries">Device address of <paramref name="documents"/> + 1 ascending 32-bit positions, the first 0, the last N; equal neighbours are empty documents.</param>
    /// <param name="documents">At most 65,535, each at most as long as a row.</param>
    public void UseDocuments(nint boundaries, int documents)
    {
        if (_flashForward is null)
            throw new NotSupportedException("this libtorch has no FlashAttention-2, which documents need: set torch.engine = reference");
        Release(_boundaries);
        long size = documents + 1L, stride = 1;
        nint tensor;
        Check(_fromBlob((void*)boundaries, 1, &size, &stride, 0, _boundaryType, _cuda, _device.Ordinal, &tensor), "wrap memory");
        (_boundaries, _kernel) = (tensor, AttentionKernel.Flash2);
    }

    /// <summary>What a layer's forward pass leaves for its backward pass.</summary>
    public struct State
    {
        internal nint Query, Key, Value, Out, LogSumExp, Seed, Offset;

        /// <summary>Device address of the result (N, H K).</summary>
        public nint OutAddress { get; internal set; }
    }

    /// <summary>Attention over <paramref name="packed"/>, whose queries and keys are already turned.</summary>
    public State Forward(nint packed)
    {
        var state = new State();
        Split(packed, ref state);
        var scale = _scale;
        nint sink1 = 0, sink2 = 0, debug = 0;
        long maximumQuery, maximumKey;
        if (_kernel == AttentionKernel.Cudnn)
        {
            Check(_cudnnForward(state.Query, state.Key, state.Value, null, 1, 0.0, 1, 0, &scale, &state.Out, &state.LogSumExp,
                &sink1, &sink2, &maximumQuery, &maximumKey, &state.Seed, &state.Offset, &debug), "cuDNN attention");
        }
        else
        {
            long left = WindowLeft, right = 0;
            var boundaries = _boundaries;
            var lengths = boundaries == 0 ? null : &boundaries;
            Check(_flashForward(state.Query, state.Key, state.Value, lengths, lengths, _tokens, _tokens, 0.0, 1, 0, &scale, &left, &right, null, null,
                &state.Out, &state.LogSumExp, &state.Seed, &state.Offset, &debug), "FlashAttention-2");
        }
        Release(sink1, sink2, debug);
        state.OutAddress = Address(state.Out);
        return state;
    }

    /// <summary>Device addresses of d_query (N, H K), d_key and d_value (N, G K); they hold until <see cref="Gradients.Tensors"/> are released.</summary>
    public Gradients Backward(in State state, nint dOut)
    {
        nint gradient = Rows(dOut, _shape.Heads, _shape.QueryWidth), dQuery = 0, dKey = 0, dValue = 0;
        var scale = _scale;
        if (_kernel == AttentionKernel.Cudnn)
        {
            Check(_cudnnBackward(gradient, state.Query, state.Key, state.Value, state.Out, state.LogSumExp, state.Seed, state.Offset,
                _undefined, _undefined, _undefined, _tokens, _tokens, 0.0, 1, &scale, &dQuery, &dKey, &dValue), "cuDNN attention backward");
        }
        else
        {
            long left = WindowLeft, right = 0;
            var lengths = _boundaries == 0 ? _undefined : _boundaries;
            Check(_flashBackward(gradient, state.Query, state.Key, state.Value, state.Out, state.LogSumExp, lengths, lengths,
                _tokens, _tokens, 0.0, 1, state.Seed, state.Offset, &scale, &left, &right, &dQuery, &dKey, &dValue), "FlashAttention-2 backward");
        }
        Release(gradient);
        return new Gradients(Address(dQuery), Address(dKey), Address(dValue), [dQuery, dKey, dValue]);
    }

    public sealed record Gradients(nint Query, nint Key, nint Value, nint[] Tensors);

    public void Release(in State state) => Release(state.Query, state.Key, state.Value, state.Out, state.LogSumExp, state.Seed, state.Offset);

    public void Release(params ReadOnlySpan<nint> tensors)
    {
        foreach (var tensor in tensors)
            if (tensor != 0) _ = _delete(tensor);
    }

    // torch.use_deterministic_algorithms, which the C shim does not offer: at::globalContext().setDeterministicAlgorithms(value, false).
    // FlashAttention-2's backward pass asks it whether its sums may race.
    private static void SetDeterministic(nint library, bool value)
    {
        if (!NativeLibrary.TryGetExport(library, "_ZN2at13globalContextEv", out var context)
            || !NativeLibrary.TryGetExport(library, "_ZN2at7Context26setDeterministicAlgorithmsEbb", out var set))
        {
            if (value) throw new NotSupportedException("this libtorch offers no deterministic attention: set torch.deterministic = false");
            return;
        }
        ((delegate* unmanaged<nint, byte, byte, void>)set)(((delegate* unmanaged<nint>)context)(), value ? (byte)1 : (byte)0, 0);
    }

    // Mistral's window counts the position itself; -1 looks back without end.
    private long WindowLeft => _shape.Model.SlidingWindow is { } window && window < _tokens ? window - 1 : -1;

    private void Split(nint packed, ref State state)
    {
        var stride = _shape.PackedWidth;
        state.Query = Rows(packed, _shape.Heads, stride);
        state.Key = Rows(packed + 2 * _shape.QueryWidth, _shape.KeyValueHeads, stride);
        state.Value = Rows(packed + 2 * (_shape.QueryWidth + _shape.KeyValueWidth), _shape.KeyValueHeads, stride);
    }

    // A view of 16-bit rows: (B, H, T, K) for cuDNN, (B, T, H, K) for FlashAttention-2, (N, H, K) with documents.
    private nint Rows(nint pointer, int heads, int stride)
    {
        nint tensor;
        if (_boundaries != 0)
        {
            var packedSizes = stackalloc long[3] { (long)_rows * _tokens, heads, _shape.HeadSize };
            var packedStrides = stackalloc long[3] { stride, _shape.HeadSize, 1 };
            Check(_fromBlob((void*)pointer, 3, packedSizes, packedStrides, 0, _type, _cuda, _device.Ordinal, &tensor), "wrap memory");
            return tensor;
        }
        var cudnn = _kernel == AttentionKernel.Cudnn;
        var sizes = stackalloc long[4] { _rows, cudnn ? heads : _tokens, cudnn ? _tokens : heads, _shape.HeadSize };
        var strides = stackalloc long[4] { (long)_tokens * stride, cudnn ? _shape.HeadSize : stride, cudnn ? stride : _shape.HeadSize, 1 };
        Check(_fromBlob((void*)pointer, 4, sizes, strides, 0, _type, _cuda, _device.Ordinal, &tensor), "wrap memory");
        return tensor;
    }

    private nint Address(nint tensor)
    {
        nint pointer;
        Check(_dataPointer(tensor, &pointer), "read an address");
        return pointer;
    }

    private static void Check(int code, string operation)
    {
        if (code != 0)
            throw new InvalidOperationException($"libtorch: {operation} failed; its message is on standard error");
    }

    public void Dispose()
    {
        Release(_boundaries);
        _ = _delete(_undefined);
        _ = _deleteGuard(_streamGuard);
    }
}
