using static Streaming.Model.Fused.Cuda.CublasLt;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused.Cuda;

/// <summary>
/// The three products of a linear layer y = x W^T on 16-bit (or 8-bit) operands with float32 accumulation, row-major. Shapes: x (N, I),
/// W (O, I), y (N, O). Each distinct product is planned once: cuBLASLt's suggestions are timed on the real buffers, the fastest stays,
/// for later processes too (or the first is taken, where results must not depend on timing).
/// </summary>
internal sealed unsafe class MatrixProducts : IMuonProducts, IForwardProducts, IAdapterProducts, IDisposable
{
    private const long WorkspaceBytes = 32 << 20;
    private const int Suggestions = 12, Repetitions = 4;

    // Strides are those of parts of wider matrices; 0 is a matrix of its own.
    private readonly record struct Key(int M, int N, int K, int TypeA, int TransposeA, int TypeB, int TransposeB, int OutputType, bool Add,
        float Alpha = 1, float Beta = 1, int Batch = 1, int StrideA = 0, int StrideB = 0, int StrideC = 0);

    private sealed record Plan(nint Description, nint A, nint B, nint C, ulong[] Algorithm);

    private readonly CudaDevice _device;
    private readonly CublasLt _library = new();
    private readonly Dictionary<Key, Plan> _plans = [];
    private readonly nint _handle, _workspace;
    private readonly int _type;
    private readonly ProductCache? _cache;

    /// <param name="type">Operand type: <see cref="BFloat16"/> or <see cref="Float16"/>.</param>
    /// <param name="deterministic">Take the first suggestion instead of timing, so that two runs compute alike.</param>
    /// <param name="cacheFolder">Where the fastest are kept.</param>
    public MatrixProducts(CudaDevice device, int type, bool deterministic, string cacheFolder)
    {
        (_device, _type) = (device, type);
        _cache = deterministic ? null : new ProductCache(cacheFolder, $"{device.Name}, {device.Multiprocessors} multiprocessors, cuBLASLt {_library.Version()}, {WorkspaceBytes}");
        nint handle;
        CublasLt.Check(_library.Create(&handle), "create");
        _handle = handle;
        _workspace = device.Allocate(WorkspaceBytes, "the matrix products' workspace");
    }

    /// <summary>Keeps on disk what was found fastest.</summary>
    public void SavePlans() => _cache?.Save();

    /// <summary>y (rows, outputs) = x (rows, inputs) W^T, plus <paramref name="add"/> (rows, outputs) where it is not 0.</summary>
    public void Forward(nint y, nint x, nint weight, int rows, int inputs, int outputs, nint add) =>
        Run(new Key(outputs, rows, inputs, _type, 1, _type, 0, _type, add != 0), weight, inputs, x, inputs, add, y);

    public void Forward(nint y, nint x, nint weight, int rows, int inputs, int outputs) => Forward(y, x, weight, rows, inputs, outputs, add: 0);

    public void ForwardWide(nint y, nint x, nint weight, int rows, int inputs, int outputs, bool add) =>
        Run(new Key(outputs, rows, inputs, _type, 1, _type, 0, Float32, add), weight, inputs, x, inputs, add ? y : 0, y);

    /// <summary>d_x (rows, inputs) = d_y (rows, outputs) W.</summary>
    public void InputGradient(nint dX, nint dY, nint weight, int rows, int inputs, int outputs) =>
        Run(new Key(inputs, rows, outputs, _type, 0, _type, 0, _type, false), weight, inputs, dY, outputs, 0, dX);

    /// <summary>d_W (outputs, inputs) += d_y^T x in float32.</summary>
    public void WeightGradient(nint dWeight, nint dY, nint x, int rows, int inputs, int outputs) =>
        Run(new Key(inputs, outputs, rows, _type, 0, _type, 1, Float32, true), x, inputs, dY, outputs, dWeight, dWeight);

    /// <summary><see cref="Forward(nint, nint, nint, int, int, int, nint)"/> on e4m3 operands; <paramref name="scaleX"/> and <paramref name="scaleWeight"/> are addresses of the factors that undo their scaling.</summary>
    public void Forward8(nint y, nint x8, nint scaleX, nint weight8, nint scaleWeight, int rows, int inputs, int outputs, nint add = 0) =>
        Run(new Key(outputs, rows, inputs, E4M3, 1, E4M3, 0, _type, add != 0), weight8, inputs, x8, inputs, add, y, scaleWeight, scaleX);

    /// <summary><see cref="InputGradient"/> on d_y in e5m2 and the transposed weight (inputs, outputs) in e4m3.</summary>
    public void InputGradient8(nint dX, nint dY8, nint scaleY, nint transposed8, nint scaleWeight, int rows, int inputs, int outputs) =>
        Run(new Key(inputs, rows, outputs, E4M3, 1, E5M2, 0, _type, false), transposed8, outputs, dY8, outputs, 0, dX, scaleWeight, scaleY);

    public void Narrow(nint y, int strideY, nint x, int strideX, nint weight, int strideWeight, int rows, int inputs, int outputs, float scale) =>
        Run(new Key(outputs, rows, inputs, _type, 1, _type, 0, _type, false, scale, StrideA: strideWeight, StrideB: strideX, StrideC: strideY), weight, strideWeight, x, strideX, 0, y);

    public void Add(nint y, int strideY, nint x, int strideX, nint weight, int strideWeight, int rows, int inputs, int outputs) =>
        Run(new Key(outputs, rows, inputs, _type, 0, _type, 0, _type, true, StrideA: strideWeight, StrideB: strideX, StrideC: strideY), weight, strideWeight, x, strideX, y, y);

    public void AddOuter(nint d, nint x, int strideX, nint y, int strideY, int rows, int left, int right) =>
        Run(new Key(right, left, rows, _type, 0, _type, 1, Float32, true, StrideA: strideY, StrideB: strideX), y, strideY, x, strideX, d, d);

    public void Gram(nint gram, nint x, int rows, int columns, int count) =>
        Run(new Key(rows, rows, columns, _type, 1, _type, 0, _type, false, Batch: count), x, columns, x, columns, 0, gram);

    public void Polynomial(nint y, nint a, float linear, float quadratic, int rows, int count) =>
        Run(new Key(rows, rows, rows, _type, 1, _type, 0, _type, true, quadratic, linear, count), a, rows, a, rows, a, y);

    public void Combine(nint y, nint a, nint x, float linear, int rows, int columns, int count) =>
        Run(new Key(columns, rows, rows, _type, 0, _type, 0, _type, true, Beta: linear, Batch: count), x, columns, a, rows, x, y);

    // Column-major as cuBLAS has it: D (M, N) = alpha op(A) op(B) + beta C, so that a row-major result is the transposed product.
    private void Run(Key key, nint a, int lda, nint b, int ldb, nint c, nint d, nint scaleA = 0, nint scaleB = 0)
    {
        if (!_plans.TryGetValue(key, out var plan))
            _plans.Add(key, plan = Create(key, a, lda, b, ldb, c, d, scaleA, scaleB));
        SetScales(plan.Description, scaleA, scaleB);
        CublasLt.Check(Multiply(plan, plan.Algorithm, key, a, b, c == 0 ? d : c, d), "multiply");
    }

    private int Multiply(Plan plan, ReadOnlySpan<ulong> algorithm, Key key, nint a, nint b, nint c, nint d)
    {
        float alpha = key.Alpha, beta = key.Add ? key.Beta : 0.0f;
        fixed (ulong* chosen = algorithm)
            return _library.Multiply(_handle, plan.Description, &alpha, a, plan.A, b, plan.B, &beta, c, plan.C, d, plan.C,
                chosen, _workspace, (nuint)WorkspaceBytes, _device.Stream);
    }

    private void SetScales(nint description, nint scaleA, nint scaleB)
    {
        if (scaleA == 0) return;
        CublasLt.Check(_library.DescriptionSet(description, ScalePointerA, &scaleA, (nuint)sizeof(nint)), "set a scale");
        CublasLt.Check(_library.DescriptionSet(description, ScalePointerB, &scaleB, (nuint)sizeof(nint)), "set a scale");
    }

    private void SetBatch(nint layout, int count, long stride)
    {
        CublasLt.Check(_library.LayoutSet(layout, BatchCount, &count, sizeof(int)), "set a batch");
        CublasLt.Check(_library.LayoutSet(layout, BatchStride, &stride, sizeof(long)), "set a batch");
    }

    private Plan Create(Key key, nint a, int lda, nint b, int ldb, nint c, nint d, nint scaleA, nint scaleB)
    {
        nint description, layoutA, layoutB, layoutC, preference;
        CublasLt.Check(_library.DescriptionCreate(&description, Compute32F, Float32), "describe a product");
        int transposeA = key.TransposeA, transposeB = key.TransposeB;
        CublasLt.Check(_library.DescriptionSet(description, TransposeA, &transposeA, sizeof(int)), "set transposition");
        CublasLt.Check(_library.DescriptionSet(description, TransposeB, &transposeB, sizeof(int)), "set transposition");
        if (scaleA != 0)
        {
            sbyte fast = 1;
            CublasLt.Check(_library.DescriptionSet(description, FastAccumulation, &fast, sizeof(sbyte)), "set fast accumulation");
            SetScales(description, scaleA, scaleB);
        }
        CublasLt.Check(_library.LayoutCreate(&layoutA, key.TypeA, (ulong)(transposeA == 1 ? key.K : key.M), (ulong)(transposeA == 1 ? key.M : key.K), lda), "lay out A");
        CublasLt.Check(_library.LayoutCreate(&layoutB, key.TypeB, (ulong)(transposeB == 1 ? key.N : key.K), (ulong)(transposeB == 1 ? key.K : key.N), ldb), "lay out B");
        CublasLt.Check(_library.LayoutCreate(&layoutC, key.OutputType, (ulong)key.M, (ulong)key.N, key.StrideC == 0 ? key.M : key.StrideC), "lay out C");
        if (key.Batch > 1)
        {
            SetBatch(layoutA, key.Batch, (long)key.M * key.K);
            SetBatch(layoutB, key.Batch, (long)key.N * key.K);
            SetBatch(layoutC, key.Batch, (long)key.M * key.N);
        }
        var plan = new Plan(description, layoutA, layoutB, layoutC, new ulong[8]);
        // A kept algorithm is one of this GPU and library; should it be refused all the same, it is chosen anew.
        if (_cache?.Find(key.ToString()) is { } kept && Multiply(plan, kept, key, a, b, c == 0 ? d : c, d) == 0)
        {
            kept.CopyTo(plan.Algorithm, 0);
            return plan;
        }
        CublasLt.Check(_library.PreferenceCreate(&preference), "create a preference");
        var workspace = (nuint)WorkspaceBytes;
        CublasLt.Check(_library.PreferenceSet(preference, MaximumWorkspaceBytes, &workspace, (nuint)sizeof(nuint)), "limit the workspace");

        if (key.StrideA != 0)
        {
            // Parts of matrices begin anywhere, at a multiple of 8 values.
            uint alignment = 16;
            for (var operand = AlignmentOfA; operand < AlignmentOfA + 4; operand++)
                CublasLt.Check(_library.PreferenceSet(preference, operand, &alignment, sizeof(uint)), "state an alignment");
        }

        var found = stackalloc Heuristic[Suggestions];
        int count;
        CublasLt.Check(_library.Suggest(_handle, description, layoutA, layoutB, layoutC, layoutC, preference, Suggestions, found, &count),
            $"plan a product of {key.M} x {key.N} x {key.K}");
        if (count == 0)
            throw new NotSupportedException($"cuBLASLt knows no way to multiply {key.M} x {key.N} x {key.K} here: set torch.engine = reference");

        var best = Choose(plan, new ReadOnlySpan<Heuristic>(found, count), key, a, b, c == 0 ? d : c, d)
            ?? throw new NotSupportedException($"cuBLASLt multiplies {key} by none of the {count} ways it suggests: set torch.engine = reference");
        new ReadOnlySpan<ulong>(found[best].Algorithm, 8).CopyTo(plan.Algorithm);
        _cache?.Add(key.ToString(), plan.Algorithm);
        return plan;
    }

    // The first suggestion that runs, or the fastest of those that do: some are refused only when they are called.
    private int? Choose(Plan plan, ReadOnlySpan<Heuristic> candidates, Key key, nint a, nint b, nint c, nint d)
    {
        Check(cuEventCreate(out var start, 0), "create an event");
        Check(cuEventCreate(out var end, 0), "create an event");
        int? best = null;
        var bestTime = float.MaxValue;
        for (var i = 0; i < candidates.Length && !(_cache is null && best is not null); i++)
        {
            fixed (Heuristic* candidate = &candidates[i])
            {
                var algorithm = new ReadOnlySpan<ulong>(candidate->Algorithm, 8);
                if (Multiply(plan, algorithm, key, a, b, c, d) != 0) continue;
                Check(cuEventRecord(start, _device.Stream), "record");
                for (var r = 0; r < Repetitions; r++) _ = Multiply(plan, algorithm, key, a, b, c, d);
                Check(cuEventRecord(end, _device.Stream), "record");
            }
            Check(cuEventSynchronize(end), "time a product");
            Check(cuEventElapsedTime(out var time, start, end), "time a product");
            if (time < bestTime) (best, bestTime) = (i, time);
        }
        _ = cuEventDestroy_v2(start);
        _ = cuEventDestroy_v2(end);
        return best;
    }

    private static void Check(int code, string operation) => CudaDriver.Check(code, operation);

    public void Dispose() => _ = _library.Destroy(_handle);
}
