using System.Runtime.InteropServices;
using Streaming.Model.Reference;

namespace Streaming.Model.Generation.Host;

// Shapes: T tokens of a pass at most, C context length, D model width, N query heads, K key-value heads, H head width, F feed-forward width, W workers, E experts.

/// <summary>What a pass computes with, in one allocation that lives as long as its decoder; and the angles of all positions.</summary>
internal sealed unsafe class HostScratch : IDisposable
{
    private const int Alignment = 64 / sizeof(float); // a cache line

    private float* _memory;

    public HostScratch(MistralConfig model, int tokens, int contextLength, int workers)
    {
        long queries = (long)model.HeadCount * model.HeadSize, keys = (long)model.KeyValueHeadCount * model.HeadSize;
        var angles = (long)contextLength * model.HeadSize / 2;
        long[] sizes =
        [
            tokens * (long)model.HiddenSize, tokens * Math.Max(model.HiddenSize, queries), tokens * queries, tokens * keys, tokens * keys,
            tokens * (long)model.IntermediateSize, tokens * (long)model.IntermediateSize, angles, angles, (long)workers * contextLength,
            model.Experts is null ? 0 : tokens * (long)model.HiddenSize, model.Experts is null ? 0 : tokens * (long)model.HiddenSize, tokens * (long)(model.Experts?.Count ?? 0),
        ];
        var starts = new long[sizes.Length];
        long end = 0;
        for (var i = 0; i < sizes.Length; i++)
        {
            starts[i] = end;
            end += (sizes[i] + Alignment - 1) / Alignment * Alignment;
        }
        _memory = (float*)NativeMemory.AlignedAlloc((nuint)(end * sizeof(float)), Alignment * sizeof(float));
        X = _memory + starts[0];
        Normed = _memory + starts[1];
        Queries = _memory + starts[2];
        Keys = _memory + starts[3];
        Values = _memory + starts[4];
        Gate = _memory + starts[5];
        Up = _memory + starts[6];
        Cosines = _memory + starts[7];
        Sines = _memory + starts[8];
        Scores = _memory + starts[9];
        Gathered = _memory + starts[10];
        Expert = _memory + starts[11];
        Router = _memory + starts[12];
        RotaryAngles.Fill(model, new Span<float>(Cosines, (int)angles), new Span<float>(Sines, (int)angles));
    }

    public float* X { get; } // (T, D) residual stream
    public float* Normed { get; } // (T, D) input of the next products; (T, N·H) mixed values
    public float* Queries { get; } // (T, N·H)
    public float* Keys { get; } // (T, K·H)
    public float* Values { get; } // (T, K·H)
    public float* Gate { get; } // (T, F)
    public float* Up { get; } // (T, F)
    public float* Cosines { get; } // (C, H / 2)
    public float* Sines { get; } // (C, H / 2)
    public float* Scores { get; } // (W, C)
    public float* Gathered { get; } // (T, D) inputs of one expert
    public float* Expert { get; } // (T, D) what it makes of them
    public float* Router { get; } // (T, E) logits, then weights

    public void Dispose()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }
}
