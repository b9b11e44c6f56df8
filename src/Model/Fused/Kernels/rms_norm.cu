// RMSNorm (Zhang and Sennrich 2019): y = w * x / sqrt(mean(x^2) + epsilon), computed in float32, rounded once.
// ROW_THREADS threads hold one row in registers, so each pass reads and writes device memory once. Blocks have ROW_BLOCK threads.

template <bool EIGHT_BITS>
static __device__ __forceinline__ void norm_forward(uint4* y, uint2* y8, Scaling* scaling, const uint4* x, const half_bits* weight_high,
    const master_rest* weight_low, int count, float epsilon)
{
    __shared__ float scratch[ROW_BLOCK / 32][2];
    const int row_vectors = HIDDEN / VECTOR;
    int row = blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / ROW_THREADS, lane = threadIdx.x % ROW_THREADS;
    uint64 start = (uint64)row * row_vectors;

    uint4 packed[ROW_VECTORS];
    float squares = 0.0f, unused = 0.0f;
#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (row < count && lane + i * ROW_THREADS < row_vectors) packed[i] = x[start + lane + i * ROW_THREADS];
#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (row < count && lane + i * ROW_THREADS < row_vectors)
        {
            float values[VECTOR];
            unpack(packed[i], values);
            for (int k = 0; k < VECTOR; k++) squares += values[k] * values[k];
        }
    row_sums(squares, unused, scratch);
    float scale = rsqrtf(squares / HIDDEN + epsilon), factor = EIGHT_BITS ? scaling->scale : 0.0f, largest = 0.0f;

#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (row < count && lane + i * ROW_THREADS < row_vectors)
        {
            int column = (lane + i * ROW_THREADS) * VECTOR;
            float values[VECTOR];
            unpack(packed[i], values);
            for (int k = 0; k < VECTOR; k++) values[k] *= scale * join_master(weight_high[column + k], weight_low[column + k]);
            if (EIGHT_BITS)
            {
                y8[start + lane + i * ROW_THREADS] = pack_e4m3(values, factor);
                largest = largest_magnitude(values, largest);
            }
            else y[start + lane + i * ROW_THREADS] = pack(values);
        }
    if (EIGHT_BITS) record_largest(scaling, largest);
}

// y (N, D) from x (N, D); weight as the two parts of its float32 master (D).
extern "C" __global__ void __launch_bounds__(ROW_BLOCK) rms_norm_forward(uint4* y, const uint4* x, const half_bits* weight_high,
    const master_rest* weight_low, int count, float epsilon)
{
    norm_forward<false>(y, 0, 0, x, weight_high, weight_low, count, epsilon);
}

// The same into e4m3, y8 (N, D).
extern "C" __global__ void __launch_bounds__(ROW_BLOCK) rms_norm_forward_e4m3(uint2* y8, Scaling* scaling, const uint4* x,
    const half_bits* weight_high, const master_rest* weight_low, int count, float epsilon)
{
    norm_forward<true>(0, y8, scaling, x, weight_high, weight_low, count, epsilon);
}

// This thread's columns of the weight; 0 past the row's end.
static __device__ __forceinline__ void load_weight(float* weight, const half_bits* weight_high, const master_rest* weight_low)
{
#pragma unroll
    for (int i = 0; i < ROW_VECTORS * VECTOR; i++)
    {
        int column = (threadIdx.x % ROW_THREADS + i / VECTOR * ROW_THREADS) * VECTOR + i % VECTOR;
        weight[i] = column < HIDDEN ? join_master(weight_high[column], weight_low[column]) : 0.0f;
    }
}

// partials (gridDim, D) = the block's share of the weight gradient: its rows join in shared memory, one after the other.
static __device__ __forceinline__ void join_weight_gradient(float* partials, const float* weight_gradient)
{
    __shared__ float shares[ROWS_PER_BLOCK == 1 ? 1 : HIDDEN]; // unused by a block of one row, whose width may not fit
    for (int group = 0; group < ROWS_PER_BLOCK; group++)
    {
        if (threadIdx.x / ROW_THREADS == group)
        {
#pragma unroll
            for (int i = 0; i < ROW_VECTORS * VECTOR; i++)
            {
                int column = (threadIdx.x % ROW_THREADS + i / VECTOR * ROW_THREADS) * VECTOR + i % VECTOR;
                if (column >= HIDDEN) continue;
                float share = group == 0 ? weight_gradient[i] : shares[column] + weight_gradient[i];
                if (group < ROWS_PER_BLOCK - 1) shares[column] = share;
                else partials[(uint64)blockIdx.x * HIDDEN + column] = share;
            }
        }
        __syncthreads();
    }
}

template <bool EIGHT_BITS>
static __device__ __forceinline__ void norm_backward(uint4* d_residual, uint2* d_residual8, Scaling* scaling, uint4* y, float* partials,
    const uint4* x, const uint4* d_y, const half_bits* weight_high, const master_rest* weight_low, int count, float epsilon, int add)
{
    __shared__ float scratch[2][ROW_BLOCK / 32][2];
    const int row_vectors = HIDDEN / VECTOR;
    int lane = threadIdx.x % ROW_THREADS, turn = 0;
    float factor = EIGHT_BITS ? scaling->scale : 0.0f, largest = 0.0f;
    float weight[ROW_VECTORS * VECTOR], weight_gradient[ROW_VECTORS * VECTOR] = {};
    load_weight(weight, weight_high, weight_low);

    // Every thread takes every turn, since row_sums is a barrier; rows from `count` on are empty.
    for (int first_row = blockIdx.x * ROWS_PER_BLOCK; first_row < count; first_row += gridDim.x * ROWS_PER_BLOCK)
    {
        int row = first_row + threadIdx.x / ROW_THREADS;
        uint64 start = (uint64)row * row_vectors;
        uint4 packed_x[ROW_VECTORS], packed_d_y[ROW_VECTORS], packed_residual[ROW_VECTORS];
        float squares = 0.0f, products = 0.0f;
#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (row < count && lane + i * ROW_THREADS < row_vectors)
            {
                packed_x[i] = x[start + lane + i * ROW_THREADS];
                packed_d_y[i] = d_y[start + lane + i * ROW_THREADS];
                if (add) packed_residual[i] = d_residual[start + lane + i * ROW_THREADS];
            }
#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (row < count && lane + i * ROW_THREADS < row_vectors)
            {
                float values[VECTOR], gradients[VECTOR];
                unpack(packed_x[i], values);
                unpack(packed_d_y[i], gradients);
                for (int k = 0; k < VECTOR; k++)
                {
                    squares += values[k] * values[k];
                    products += gradients[k] * weight[i * VECTOR + k] * values[k];
                }
            }
        row_sums(squares, products, scratch[turn]);
        turn ^= 1;
        float scale = rsqrtf(squares / HIDDEN + epsilon);
        float pull = products / HIDDEN * scale * scale;

#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (row < count && lane + i * ROW_THREADS < row_vectors)
            {
                float values[VECTOR], gradients[VECTOR], residual[VECTOR] = {0, 0, 0, 0, 0, 0, 0, 0};
                unpack(packed_x[i], values);
                unpack(packed_d_y[i], gradients);
                if (add) unpack(packed_residual[i], residual);
                for (int k = 0; k < VECTOR; k++)
                {
                    float w = weight[i * VECTOR + k];
                    weight_gradient[i * VECTOR + k] += gradients[k] * values[k] * scale;
                    residual[k] += scale * (gradients[k] * w - values[k] * pull);
                    values[k] *= scale * w;
                }
                d_residual[start + lane + i * ROW_THREADS] = pack(residual);
                if (EIGHT_BITS)
                {
                    d_residual8[start + lane + i * ROW_THREADS] = pack_e5m2(residual, factor);
                    largest = largest_magnitude(residual, largest);
                }
                y[start + lane + i * ROW_THREADS] = pack(values);
            }
    }

    if (EIGHT_BITS) record_largest(scaling, largest);

    join_weight_gradient(partials, weight_gradient);
}

// Given d_y (N, D), the gradient of y:
//   d_residual (N, D) += the gradient of x  (or = where `add` is 0);
//   y (N, D)           = the forward result again, which the weight gradient of the product behind it needs;
//   partials (gridDim, D) = this block's share of the weight gradient, summed by rms_norm_weight_gradient.
extern "C" __global__ void __launch_bounds__(ROW_BLOCK, 2) rms_norm_backward(uint4* d_residual, uint4* y, float* partials,
    const uint4* x, const uint4* d_y, const half_bits* weight_high, const master_rest* weight_low, int count, float epsilon, int add)
{
    norm_backward<false>(d_residual, 0, 0, y, partials, x, d_y, weight_high, weight_low, count, epsilon, add);
}

// The same, and d_residual8 (N, D) = d_residual in e5m2.
extern "C" __global__ void __launch_bounds__(ROW_BLOCK, 2) rms_norm_backward_e5m2(uint4* d_residual, uint2* d_residual8,
    Scaling* scaling, uint4* y, float* partials, const uint4* x, const uint4* d_y, const half_bits* weight_high,
    const master_rest* weight_low, int count, float epsilon, int add)
{
    norm_backward<true>(d_residual, d_residual8, scaling, y, partials, x, d_y, weight_high, weight_low, count, epsilon, add);
}

// d_weight (norms, D) += the sum over blocks of partials (norms, blocks, D); grid (ceil(D / 32), norms), block (32, 8).
extern "C" __global__ void rms_norm_weight_gradient(float* d_weight, const float* partials, int blocks)
{
    __shared__ float shares[8][33];
    int column = blockIdx.x * 32 + threadIdx.x;
    partials += (uint64)blockIdx.y * blocks * HIDDEN;
    float sum = 0.0f;
    if (column < HIDDEN)
        for (int block = threadIdx.y; block < blocks; block += 8) sum += partials[(uint64)block * HIDDEN + column];
    shares[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y != 0 || column >= HIDDEN) return;
    for (int i = 1; i < 8; i++) sum += shares[i][threadIdx.x];
    d_weight[(uint64)blockIdx.y * HIDDEN + column] += sum;
}
