// Attention of a pass's tokens over their slots, causal, grouped queries (after Flash-Decoding, Dao et al. 2023): a block takes one token,
// one key-value head with all query heads that share it, and one split of the sequence.

#define ATTENTION_WARPS 4
#define KEY_LANES (HEAD_SIZE / VECTOR)          // lanes that share a key, 16 bytes each: a power of two up to 32
#define KEYS_A_WARP (32 / KEY_LANES)
#define KEYS_AHEAD 4                            // keys of a lane that are loaded at once
#define LOWEST (-1e30f)

// Joins another part of the same softmax into this one.
static __device__ __forceinline__ void join_part(float& largest, float& total, float* sum, float other_largest, float other_total, const float* other)
{
    float joint = fmaxf(largest, other_largest), mine = __expf(largest - joint), theirs = __expf(other_largest - joint);
    largest = joint;
    total = total * mine + other_total * theirs;
#pragma unroll
    for (int k = 0; k < VECTOR; k++) sum[k] = sum[k] * mine + other[k] * theirs;
}

// grid (N, G x splits), block 128. partial (N, H, S, K), statistics (N, H, S, 2), queries (N, H K). window 0: none.
extern "C" __global__ void __launch_bounds__(ATTENTION_WARPS * 32) decode_attention(float* partial, float* statistics, const float* queries, const uint4* keys, const uint4* values,
    const PassRow* rows, int context, int window, int splits)
{
    __shared__ float shared_sum[ATTENTION_WARPS][QUERIES_A_KEY][HEAD_SIZE];
    __shared__ float shared_largest[ATTENTION_WARPS][QUERIES_A_KEY], shared_total[ATTENTION_WARPS][QUERIES_A_KEY];
    wait_for_previous();
    let_next_start();
    int n = blockIdx.x, key_head = blockIdx.y / splits, split = blockIdx.y % splits;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, part = lane % KEY_LANES;
    PassRow row = rows[n];
    int end = row.position + 1, begin = window > 0 && end > window ? end - window : 0;
    int share = (end - begin + splits - 1) / splits;
    begin += split * share;
    if (begin + share < end) end = begin + share;

    const float scale = rsqrtf((float)HEAD_SIZE);
    float query[QUERIES_A_KEY][VECTOR], sum[QUERIES_A_KEY][VECTOR], largest[QUERIES_A_KEY], total[QUERIES_A_KEY];
#pragma unroll
    for (int h = 0; h < QUERIES_A_KEY; h++)
    {
        load_eight(queries + (uint64)n * QUERY_WIDTH + (key_head * QUERIES_A_KEY + h) * HEAD_SIZE + part * VECTOR, query[h]);
#pragma unroll
        for (int k = 0; k < VECTOR; k++)
        {
            query[h][k] *= scale;
            sum[h][k] = 0.0f;
        }
        largest[h] = LOWEST;
        total[h] = 0.0f;
    }

    const int stride = KEY_VALUE_WIDTH / VECTOR, step = ATTENTION_WARPS * KEYS_A_WARP;
    uint64 base = (uint64)row.slot * context * stride + key_head * KEY_LANES + part;
    for (int first = begin + warp * KEYS_A_WARP + lane / KEY_LANES; first - lane / KEY_LANES < end; first += step * KEYS_AHEAD)
    {
        uint4 key[KEYS_AHEAD], value[KEYS_AHEAD];
#pragma unroll
        for (int i = 0; i < KEYS_AHEAD; i++)
        {
            int at = first + i * step;
            if (at >= end) at = end - 1; // loaded again, and left out below
            key[i] = load_fresh(keys + base + (uint64)at * stride);
            value[i] = load_fresh(values + base + (uint64)at * stride);
        }
#pragma unroll
        for (int h = 0; h < QUERIES_A_KEY; h++)
        {
            float score[KEYS_AHEAD], highest = largest[h];
#pragma unroll
            for (int i = 0; i < KEYS_AHEAD; i++)
            {
                float k8[VECTOR], dot = 0.0f;
                unpack(key[i], k8);
#pragma unroll
                for (int k = 0; k < VECTOR; k++) dot += query[h][k] * k8[k];
#pragma unroll
                for (int offset = KEY_LANES / 2; offset > 0; offset >>= 1) dot += __shfl_xor_sync(FULL_WARP, dot, offset);
                score[i] = first + i * step < end ? dot : LOWEST;
                highest = fmaxf(highest, score[i]);
            }
            float kept = __expf(largest[h] - highest);
            largest[h] = highest;
            total[h] *= kept;
#pragma unroll
            for (int k = 0; k < VECTOR; k++) sum[h][k] *= kept;
#pragma unroll
            for (int i = 0; i < KEYS_AHEAD; i++)
            {
                float weight = first + i * step < end ? __expf(score[i] - highest) : 0.0f, v8[VECTOR];
                unpack(value[i], v8);
                total[h] += weight;
#pragma unroll
                for (int k = 0; k < VECTOR; k++) sum[h][k] += weight * v8[k];
            }
        }
    }

#pragma unroll
    for (int h = 0; h < QUERIES_A_KEY; h++)
    {
#pragma unroll
        for (int offset = KEY_LANES; offset < 32; offset <<= 1)
        {
            float other[VECTOR], other_largest = __shfl_xor_sync(FULL_WARP, largest[h], offset), other_total = __shfl_xor_sync(FULL_WARP, total[h], offset);
#pragma unroll
            for (int k = 0; k < VECTOR; k++) other[k] = __shfl_xor_sync(FULL_WARP, sum[h][k], offset);
            join_part(largest[h], total[h], sum[h], other_largest, other_total, other);
        }
        if (lane >= KEY_LANES) continue;
#pragma unroll
        for (int k = 0; k < VECTOR; k++) shared_sum[warp][h][part * VECTOR + k] = sum[h][k];
        if (part != 0) continue;
        shared_largest[warp][h] = largest[h];
        shared_total[warp][h] = total[h];
    }
    __syncthreads();
    for (int item = threadIdx.x; item < QUERIES_A_KEY * KEY_LANES; item += blockDim.x)
    {
        int h = item / KEY_LANES, vector = item % KEY_LANES;
        float joint[VECTOR], joint_largest = shared_largest[0][h], joint_total = shared_total[0][h];
#pragma unroll
        for (int k = 0; k < VECTOR; k++) joint[k] = shared_sum[0][h][vector * VECTOR + k];
        for (int w = 1; w < ATTENTION_WARPS; w++)
            join_part(joint_largest, joint_total, joint, shared_largest[w][h], shared_total[w][h], &shared_sum[w][h][vector * VECTOR]);
        uint64 at = ((uint64)n * HEADS + key_head * QUERIES_A_KEY + h) * splits + split;
        float4* target = (float4*)(partial + at * HEAD_SIZE + vector * VECTOR);
        target[0] = {joint[0], joint[1], joint[2], joint[3]};
        target[1] = {joint[4], joint[5], joint[6], joint[7]};
        if (vector != 0) continue;
        statistics[2 * at] = joint_largest;
        statistics[2 * at + 1] = joint_total;
    }
}
