// A pass of many tokens: what stands between the matrix products. Also what passes of either kind begin and end with.

// residual (N, D) = rows of the embedding (V, D). A thread copies 8 values.
extern "C" __global__ void decode_embed(float* residual, const uint4* embedding, const PassRow* rows, int count)
{
    const int vectors = HIDDEN / VECTOR;
    int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= count * vectors) return;
    float values[VECTOR];
    unpack(embedding[(uint64)rows[index / vectors].token * vectors + index % vectors], values);
    float4* target = (float4*)(residual + (uint64)index * VECTOR);
    target[0] = {values[0], values[1], values[2], values[3]};
    target[1] = {values[4], values[5], values[6], values[7]};
}

// normed (rows, D) = RMSNorm of residual rows, of the selected ones where `selected` is not null. A block a row.
extern "C" __global__ void __launch_bounds__(PASS_BLOCK) decode_norm(uint4* normed, const float* residual, const uint4* norm, const PassRow* selected, float epsilon)
{
    __shared__ float scratch[32];
    const int vectors = HIDDEN / VECTOR, share = (vectors + PASS_BLOCK - 1) / PASS_BLOCK;
    const float* row = residual + (uint64)(selected ? selected[blockIdx.x].selected : (int)blockIdx.x) * HIDDEN;
    float values[share][VECTOR], squares = 0.0f;
    for (int i = 0; i < share; i++)
    {
        int vector = i * PASS_BLOCK + threadIdx.x;
        if (vector >= vectors) continue;
        load_eight(row + vector * VECTOR, values[i]);
        for (int k = 0; k < VECTOR; k++) squares += values[i][k] * values[i][k];
    }
    float scale = rsqrtf(block_sum(squares, scratch) / HIDDEN + epsilon);
    for (int i = 0; i < share; i++)
    {
        int vector = i * PASS_BLOCK + threadIdx.x;
        if (vector >= vectors) continue;
        float weights[VECTOR];
        unpack(norm[vector], weights);
        for (int k = 0; k < VECTOR; k++) values[i][k] *= scale * weights[k];
        normed[(uint64)blockIdx.x * vectors + vector] = pack(values[i]);
    }
}

// packed (N, (H + 2 G) K): queries turned into (N, H K) float32, keys turned and values into the slots. A thread takes one pair.
extern "C" __global__ void decode_place(float* queries, half_bits* keys, half_bits* values, const half_bits* packed, const float* cosine, const float* sine,
    const PassRow* rows, int context, int count)
{
    const int half = HEAD_SIZE / 2, pairs = PASS_WIDTH / 2;
    int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= count * pairs) return;
    int n = index / pairs, head = index % pairs / half, i = index % half;
    const half_bits* pair = packed + (uint64)n * PASS_WIDTH + head * HEAD_SIZE + i;
    store_pair(to_float(pair[0]), to_float(pair[half]), head, i, n, rows[n], queries, keys, values, cosine, sine, context);
}

// attended (N, H K) in 16 bits, of what the splits left. A thread takes 8 values.
extern "C" __global__ void decode_join(uint4* attended, const float* partial, const float* statistics, int splits, int count)
{
    const int vectors = QUERY_WIDTH / VECTOR;
    int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= count * vectors) return;
    float values[VECTOR];
    join_splits(partial, statistics, index / vectors, index % vectors, splits, values);
    attended[index] = pack(values);
}

// best[row]: the column of the highest of V logits in a row; the lowest where several are equal. A block of 1024 a row.
extern "C" __global__ void __launch_bounds__(1024) decode_best(int* best, const float* logits)
{
    __shared__ float scratch[32];
    __shared__ float places[32];
    const float* row = logits + (uint64)blockIdx.x * VOCABULARY_PADDED;
    float highest = -3.402823466e38f;
    int place = VOCABULARY;
    for (int i = threadIdx.x; i < VOCABULARY; i += blockDim.x)
    {
        float value = load_fresh(row + i);
        if (value <= highest && place < VOCABULARY) continue;
        highest = value;
        place = i;
    }
    float most = block_max(highest, scratch);
    // Columns are exact in a float up to 2^24: the lowest is the largest of their negatives.
    float lowest = -block_max(highest == most ? -(float)place : -16777216.0f, places);
    if (threadIdx.x == 0) best[blockIdx.x] = (int)lowest < VOCABULARY ? (int)lowest : 0;
}

// The first `length` tokens of one slot into another, in every layer. grid (blocks, layers). layer_vectors: of one layer's keys.
extern "C" __global__ void decode_copy(uint4* keys, uint4* values, int from, int to, int context, int length, long long layer_vectors)
{
    const int vectors = KEY_VALUE_WIDTH / VECTOR;
    uint64 layer = blockIdx.y * (uint64)layer_vectors;
    uint64 source = layer + (uint64)from * context * vectors, target = layer + (uint64)to * context * vectors;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < length * vectors; i += gridDim.x * blockDim.x)
    {
        keys[target + i] = keys[source + i];
        values[target + i] = values[source + i];
    }
}
