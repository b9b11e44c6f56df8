using Streaming.Model.Engines;
using Streaming.Model.Fused.Cuda;
using static Streaming.Model.Fused.Cuda.CudaDriver;

namespace Streaming.Model.Fused;

/// <summary>
/// Brings micro-batches to the device through a few page-locked slots, so that the host prepares the next one while the GPU computes.
/// </summary>
internal sealed unsafe class InputStaging
{
    private const int Slots = 4, Block = 256, Piece = 16; // bytes that a thread takes

    private readonly CudaDevice _device;
    private readonly IKernelQueue _kernels;
    private readonly FusedBuffers _buffers;
    private readonly EmbeddingPlan _embedding;
    private readonly nint[] _slots = new nint[Slots], _events = new nint[Slots];
    private int _slot;

    public InputStaging(CudaDevice device, IKernelQueue kernels, FusedBuffers buffers, MistralConfig model)
    {
        (_device, _kernels, _buffers) = (device, kernels, buffers);
        _embedding = new EmbeddingPlan(model.VocabularySize, buffers.Positions, model.PadTokenId);
        for (var i = 0; i < Slots; i++)
        {
            _slots[i] = device.AllocatePinned(buffers.Input.Bytes);
            Check(cuEventCreate(out _events[i], 0), "create an event");
        }
    }

    /// <summary>
    /// Queues the upload of token ids, labels, the embedding's plan, the documents' boundaries and a token's weight in the loss; rows that
    /// are absent predict nothing.
    /// </summary>
    /// <param name="batch">The micro-batch.</param>
    /// <param name="microBatches">Micro-batches a step, over which the loss is a mean.</param>
    /// <returns>Documents, absent rows included.</returns>
    public int Upload(MicroBatch batch, int microBatches)
    {
        if (batch.Columns != _buffers.RowTokens || batch.Tokens.Length > _buffers.Positions)
            throw new ArgumentException($"the engine was made for up to {_buffers.Positions / _buffers.RowTokens} rows of {_buffers.RowTokens} tokens and was given {batch.Rows} of {batch.Columns}", nameof(batch));
        _slot = (_slot + 1) % Slots;
        Check(cuEventSynchronize(_events[_slot]), "wait for an input slot");
        var input = _buffers.Input;

        var ids = Part(input.Tokens, _buffers.Positions);
        batch.Tokens.CopyTo(ids);
        ids[batch.Tokens.Length..].Clear();
        var labels = Part(input.Labels, _buffers.Positions);
        var predicted = batch.WriteLabels(labels);
        labels[batch.Tokens.Length..].Fill(MicroBatch.Ignored);
        var boundaries = Part(input.Boundaries, _buffers.Positions + 1);
        var documents = batch.WriteBoundaries(boundaries, _buffers.Positions);
        boundaries[documents..].Fill(_buffers.Positions);

        _embedding.Build(ids);
        Write(input.Order, _embedding.Order);
        Write(input.Begin, _embedding.Begin);
        Write(input.RunToken, _embedding.Token);
        Write(input.Slot, _embedding.Slot);
        Write(input.JoinBegin, _embedding.JoinBegin);
        Write(input.JoinToken, _embedding.JoinToken);
        Write(input.Counts, _embedding.Counts);
        // Where nothing is predicted there is nothing to weigh.
        var weight = predicted == 0 ? 0.0f : 1.0f / ((float)predicted * microBatches);
        var pieces = input.Bytes / Piece;
        _kernels.Launch("take_micro_batch", (pieces + Block - 1) / Block, Block, _buffers.InputBase, _slots[_slot], pieces, _buffers.Flat.Scalars, weight);
        return documents;
    }

    /// <summary>Everything that reads the current slot is queued.</summary>
    public void Release() => Check(cuEventRecord(_events[_slot], _device.Stream), "record");

    private Span<int> Part(int offset, int count) => new((void*)(_slots[_slot] + offset), count);

    private void Write(int offset, ReadOnlySpan<int> values) => values.CopyTo(Part(offset, values.Length));
}
