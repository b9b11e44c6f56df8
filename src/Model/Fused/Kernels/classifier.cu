// Softmax, cross-entropy and its gradient over a chunk of logits, in place: whole logits never exist.
// One block holds one row of the vocabulary in registers: device memory is read once and written once.

#define CLASSIFIER_THREADS 1024
#define CLASSIFIER_VECTORS ((VOCABULARY_PADDED / VECTOR + CLASSIFIER_THREADS - 1) / CLASSIFIER_THREADS)

// logits (rows, VOCABULARY_PADDED) become their gradient, times *weight and *scale (the loss scale); labels (rows), negative: ignored,
// no gradient. losses (rows): -log p(label), 0 where ignored. Columns from VOCABULARY on are padding: no probability, no gradient.
// `backward` 0 leaves the logits as they are.
extern "C" __global__ void __launch_bounds__(CLASSIFIER_THREADS) classifier(uint4* logits, float* losses, const int* labels,
    const float* weight, const float* scale, int backward)
{
    __shared__ float scratch[32];
    const int row_vectors = VOCABULARY_PADDED / VECTOR;
    uint64 row = blockIdx.x;
    logits += row * row_vectors;
    int label = labels[row];
    if (label < 0)
    {
        uint4 zero = {0, 0, 0, 0};
        if (threadIdx.x == 0) losses[row] = 0.0f;
        if (backward)
            for (int i = threadIdx.x; i < row_vectors; i += CLASSIFIER_THREADS) logits[i] = zero;
        return;
    }
    float label_logit = to_float(((const half_bits*)logits)[label]);

    uint4 packed[CLASSIFIER_VECTORS];
    float largest = -3.402823466e38f;
#pragma unroll
    for (int i = 0; i < CLASSIFIER_VECTORS; i++)
    {
        int vector = threadIdx.x + i * CLASSIFIER_THREADS;
        if (vector < row_vectors) packed[i] = logits[vector];
    }
#pragma unroll
    for (int i = 0; i < CLASSIFIER_VECTORS; i++)
    {
        int vector = threadIdx.x + i * CLASSIFIER_THREADS;
        if (vector >= row_vectors) continue;
        float values[VECTOR];
        unpack(packed[i], values);
        for (int k = 0; k < VECTOR; k++)
            if (vector * VECTOR + k < VOCABULARY) largest = fmaxf(largest, values[k]);
    }
    largest = block_max(largest, scratch);

    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < CLASSIFIER_VECTORS; i++)
    {
        int vector = threadIdx.x + i * CLASSIFIER_THREADS;
        if (vector >= row_vectors) continue;
        float values[VECTOR];
        unpack(packed[i], values);
        for (int k = 0; k < VECTOR; k++)
            if (vector * VECTOR + k < VOCABULARY) sum += __expf(values[k] - largest);
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) losses[row] = logf(sum) + largest - label_logit;
    if (!backward) return;

    float factor = *weight * *scale, normalizer = factor / sum;
#pragma unroll
    for (int i = 0; i < CLASSIFIER_VECTORS; i++)
    {
        int vector = threadIdx.x + i * CLASSIFIER_THREADS;
        if (vector >= row_vectors) continue;
        float values[VECTOR];
        unpack(packed[i], values);
        for (int k = 0; k < VECTOR; k++)
        {
            int column = vector * VECTOR + k;
            values[k] = column < VOCABULARY ? __expf(values[k] - largest) * normalizer : 0.0f;
            if (column == label) values[k] -= factor;
        }
        logits[vector] = pack(values);
    }
}

// *total += sum of losses (count) times *weight; one block, fixed order.
extern "C" __global__ void accumulate_loss(float* total, const float* losses, const float* weight, int count)
{
    __shared__ float scratch[32];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += losses[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) *total += sum * *weight;
}
