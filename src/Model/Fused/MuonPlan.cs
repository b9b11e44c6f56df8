using System.Runtime.InteropServices;

namespace Streaming.Model.Fused;

/// <summary>A matrix that Muon updates, as the kernels' <c>MuonMatrix</c> lays it out.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MuonMatrix
{
    /// <summary>First element in the flat buffers, and of its momentum.</summary>
    public long Offset, Moment;

    public int Rows, Columns;

    /// <summary>Its learning rate, over the step's.</summary>
    public float Rate;

    public int Unused;
}

/// <summary>
/// Which matrices Muon takes together, and where their iterates lie in scratch memory. All products of a batch are one call, since its
/// matrices, laid flat, have one shape.
/// </summary>
internal sealed class MuonPlan
{
    /// <summary>Blocks that share a matrix's sum of squares.</summary>
    public const int Shares = 64;

    private const int LargestBatch = 8;
    private const long Alignment = 256;

    /// <param name="layout">Where the matrices lie.</param>
    /// <param name="range">The part of it that Muon updates.</param>
    /// <param name="scratchBytes">Memory to use; more is used where one matrix needs it.</param>
    public MuonPlan(ParameterLayout layout, MomentRange range, long scratchBytes)
    {
        var matrices = new List<MuonMatrix>();
        var batches = new List<Batch>();
        var shapes = layout.Entries.Where(entry => entry.Offset >= range.Begin && entry.Offset < range.End).GroupBy(FlatShape);
        foreach (var shape in shapes)
        {
            var (rows, columns) = shape.Key;
            var batch = (int)Math.Clamp(scratchBytes / Scratch(rows, columns, 1), 1, LargestBatch);
            foreach (var group in shape.Chunk(batch))
            {
                batches.Add(new Batch(matrices.Count, group.Length, rows, columns));
                Bytes = Math.Max(Bytes, Scratch(rows, columns, group.Length));
                foreach (var entry in group)
                    matrices.Add(new MuonMatrix
                    {
                        Offset = entry.Offset,
                        Moment = entry.Offset - range.Begin,
                        Rows = (int)entry.Shape[0],
                        Columns = (int)entry.Shape[1],
                        Rate = Optimizers.Muon.RateFactor(entry.Shape[0], entry.Shape[1]),
                    });
            }
        }
        (Matrices, Batches) = ([.. matrices], batches);
    }

    public MuonMatrix[] Matrices { get; }
    public IReadOnlyList<Batch> Batches { get; }

    /// <summary>Scratch memory that the largest batch needs.</summary>
    public long Bytes { get; }

    /// <param name="First">Its first matrix among <see cref="Matrices"/>.</param>
    /// <param name="Count">How many there are.</param>
    /// <param name="Rows">Of each, laid flat.</param>
    /// <param name="Columns">Of each, laid flat: at least as many.</param>
    public readonly record struct Batch(int First, int Count, int Rows, int Columns)
    {
        private long Iterate => Aligned(2L * Count * Rows * Columns);
        private long Square => Aligned(2L * Count * Rows * Rows);

        /// <summary>Byte offsets of the two iterates (count, rows, columns), the two squares (count, rows, rows), and the norms' partial sums.</summary>
        public long X => 0;
        public long Y => Iterate;
        public long Gram => 2 * Iterate;
        public long Polynomial => 2 * Iterate + Square;
        public long Partials => 2 * Iterate + 2 * Square;
        public long Bytes => Partials + Aligned((long)Count * Shares * sizeof(float));

        /// <summary>Tiles of 32 x 32 in a matrix as it lies in the flat buffers, tall or flat.</summary>
        public int Tiles => (Rows + 31) / 32 * ((Columns + 31) / 32);
    }

    private static (int Rows, int Columns) FlatShape(ParameterLayout.Entry entry) =>
        ((int)Math.Min(entry.Shape[0], entry.Shape[1]), (int)Math.Max(entry.Shape[0], entry.Shape[1]));

    private static long Scratch(int rows, int columns, int count) => new Batch(0, count, rows, columns).Bytes;

    private static long Aligned(long bytes) => (bytes + Alignment - 1) / Alignment * Alignment;
}
