using System.Runtime.InteropServices;

namespace Streaming.Model.Fused.Cuda;

/// <summary>The part of cuBLASLt that <see cref="MatrixProducts"/> uses, bound to the library that libtorch loaded.</summary>
internal sealed unsafe class CublasLt
{
    public const int Compute32F = 68;
    public const int Float32 = 0, Float16 = 2, BFloat16 = 14, E4M3 = 28, E5M2 = 29;
    public const int TransposeA = 3, TransposeB = 4, ScalePointerA = 17, ScalePointerB = 18, FastAccumulation = 25;
    public const int BatchCount = 5, BatchStride = 6;
    public const int MaximumWorkspaceBytes = 1, AlignmentOfA = 5; // B, C and D follow

    /// <summary>cublasLtMatmulHeuristicResult_t.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Heuristic
    {
        public fixed ulong Algorithm[8];
        public nuint WorkspaceBytes;
        public int State;
        public float Waves;
        public fixed int Reserved[4];
    }

    private readonly delegate* unmanaged<nuint> _version;
    public readonly delegate* unmanaged<nint*, int> Create;
    public readonly delegate* unmanaged<nint, int> Destroy;
    public readonly delegate* unmanaged<nint*, int, int, int> DescriptionCreate;
    public readonly delegate* unmanaged<nint, int, void*, nuint, int> DescriptionSet;
    public readonly delegate* unmanaged<nint*, int, ulong, ulong, long, int> LayoutCreate;
    public readonly delegate* unmanaged<nint, int, void*, nuint, int> LayoutSet;
    public readonly delegate* unmanaged<nint*, int> PreferenceCreate;
    public readonly delegate* unmanaged<nint, int, void*, nuint, int> PreferenceSet;
    public readonly delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, Heuristic*, int*, int> Suggest;
    public readonly delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, void*, nint, nuint, nint, int> Multiply;

    public CublasLt()
    {
        var library = NativeImages.Open("libcublasLt", "libcublas", "libtorch_cuda");
        _version = (delegate* unmanaged<nuint>)NativeLibrary.GetExport(library, "cublasLtGetVersion");
        Create = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "cublasLtCreate");
        Destroy = (delegate* unmanaged<nint, int>)NativeLibrary.GetExport(library, "cublasLtDestroy");
        DescriptionCreate = (delegate* unmanaged<nint*, int, int, int>)NativeLibrary.GetExport(library, "cublasLtMatmulDescCreate");
        DescriptionSet = (delegate* unmanaged<nint, int, void*, nuint, int>)NativeLibrary.GetExport(library, "cublasLtMatmulDescSetAttribute");
        LayoutCreate = (delegate* unmanaged<nint*, int, ulong, ulong, long, int>)NativeLibrary.GetExport(library, "cublasLtMatrixLayoutCreate");
        LayoutSet = (delegate* unmanaged<nint, int, void*, nuint, int>)NativeLibrary.GetExport(library, "cublasLtMatrixLayoutSetAttribute");
        PreferenceCreate = (delegate* unmanaged<nint*, int>)NativeLibrary.GetExport(library, "cublasLtMatmulPreferenceCreate");
        PreferenceSet = (delegate* unmanaged<nint, int, void*, nuint, int>)NativeLibrary.GetExport(library, "cublasLtMatmulPreferenceSetAttribute");
        Suggest = (delegate* unmanaged<nint, nint, nint, nint, nint, nint, nint, int, Heuristic*, int*, int>)
            NativeLibrary.GetExport(library, "cublasLtMatmulAlgoGetHeuristic");
        Multiply = (delegate* unmanaged<nint, nint, void*, nint, nint, nint, nint, void*, nint, nint, nint, nint, void*, nint, nuint, nint, int>)
            NativeLibrary.GetExport(library, "cublasLtMatmul");
    }

    /// <summary>Of the library, as <c>cublasLtGetVersion</c> counts.</summary>
    public nuint Version() => _version();

    /// <exception cref="InvalidOperationException">The call failed.</exception>
    public static void Check(int code, string operation)
    {
        if (code != 0)
            throw new InvalidOperationException($"cuBLASLt: {operation} failed with status {code}");
    }
}
