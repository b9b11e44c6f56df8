// RMSNorm (Zhang and Sennrich 2019): y = w * x / sqrt(mean(x^2) + epsilon), computed in float32, rounded once.
// ROW_THREADS threads hold one row in registers, so each pass reads and writes device memory once.

// y (N, D) from x (N, D); weight as the two halves of its float32 master (D).
extern "C" __global__ void __launch_bounds__(ROW_BLOCK) rms_norm_forward(uint4* y, const uint4* x, const half_bits* weight_high, const half_bits* weight_low,
    int count, float epsilon)
{
    __shared__ float scratch[32];
    const int row_vectors = HIDDEN / VECTOR;
    int row = blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / ROW_THREADS, lane = threadIdx.x % ROW_THREADS;
    if (row >= count) return; // whole warps or the whole block
    x += (uint64)row * row_vectors;
    y += (uint64)row * row_vectors;

    uint4 packed[ROW_VECTORS];
    float squares = 0.0f;
#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (lane + i * ROW_THREADS < row_vectors) packed[i] = x[lane + i * ROW_THREADS];
#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (lane + i * ROW_THREADS < row_vectors)
        {
            float values[VECTOR];
            unpack(packed[i], values);
            for (int k = 0; k < VECTOR; k++) squares += values[k] * values[k];
        }
    float scale = rsqrtf(row_sum(squares, scratch) / HIDDEN + epsilon);

#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (lane + i * ROW_THREADS < row_vectors)
        {
            int column = (lane + i * ROW_THREADS) * VECTOR;
            float values[VECTOR];
            unpack(packed[i], values);
            for (int k = 0; k < VECTOR; k++) values[k] *= scale * join_master(weight_high[column + k], weight_low[column + k]);
            y[lane + i * ROW_THREADS] = pack(values);
        }
}

// Given d_y (N, D), the gradient of y:
//   d_residual (N, D) += the gradient of x  (or = where `add` is 0);
//   y (N, D)           = the forward result again, which the product for the weight gradient before it needs;
//   partials (gridDim, D) = this block's share of the weight gradient, summed by rms_norm_weight_gradient.
extern "C" __global__ void __launch_bounds__(ROW_BLOCK) rms_norm_backward(uint4* d_residual, uint4* y, float* partials, const uint4* x, const uint4* d_y,
    const half_bits* weight_high, const half_bits* weight_low, int count, float epsilon, int add)
{
    __shared__ float scratch[32];
    __shared__ float shares[ROWS_PER_BLOCK == 1 ? 1 : HIDDEN];
    const int row_vectors = HIDDEN / VECTOR;
    int lane = threadIdx.x % ROW_THREADS;
    float weight_gradient[ROW_VECTORS * VECTOR];
#pragma unroll
    for (int i = 0; i < ROW_VECTORS * VECTOR; i++) weight_gradient[i] = 0.0f;

    for (int row = blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / ROW_THREADS; row < count; row += gridDim.x * ROWS_PER_BLOCK)
    {
        uint64 start = (uint64)row * row_vectors;
        uint4 packed_x[ROW_VECTORS], packed_d_y[ROW_VECTORS];
        float squares = 0.0f, products = 0.0f;
#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (lane + i * ROW_THREADS < row_vectors)
            {
                packed_x[i] = x[start + lane + i * ROW_THREADS];
                packed_d_y[i] = d_y[start + lane + i * ROW_THREADS];
            }
#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (lane + i * ROW_THREADS < row_vectors)
            {
                int column = (lane + i * ROW_THREADS) * VECTOR;
                float values[VECTOR], gradients[VECTOR];
                unpack(packed_x[i], values);
                unpack(packed_d_y[i], gradients);
                for (int k = 0; k < VECTOR; k++)
                {
                    squares += values[k] * values[k];
                    products += gradients[k] * join_master(weight_high[column + k], weight_low[column + k]) * values[k];
                }
            }
        float scale = rsqrtf(row_sum(squares, scratch) / HIDDEN + epsilon);
        float pull = row_sum(products, scratch) / HIDDEN * scale * scale;

#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (lane + i * ROW_THREADS < row_vectors)
            {
                int column = (lane + i * ROW_THREADS) * VECTOR;
                float values[VECTOR], gradients[VECTOR], residual[VECTOR] = {0, 0, 0, 0, 0, 0, 0, 0};
                unpack(packed_x[i], values);
                unpack(packed_d_y[i], gradients);
                if (add) unpack(d_residual[start + lane + i * ROW_THREADS], residual);
                for (int k = 0; k < VECTOR; k++)
                {
                    float weight = join_master(weight_high[column + k], weight_low[column + k]);
                    weight_gradient[i * VECTOR + k] += gradients[k] * values[k] * scale;
                    residual[k] += scale * (gradients[k] * weight - values[k] * pull);
                    values[k] *= scale * weight;
                }
                d_residual[start + lane + i * ROW_THREADS] = pack(residual);
                y[start + lane + i * ROW_THREADS] = pack(values);
            }
    }

    // The block's rows join in shared memory, warp after warp.
    for (int turn = 0; turn < ROWS_PER_BLOCK; turn++)
    {
        if (threadIdx.x / ROW_THREADS == turn)
        {
#pragma unroll
            for (int i = 0; i < ROW_VECTORS; i++)
                if (lane + i * ROW_THREADS < row_vectors)
                    for (int k = 0; k < VECTOR; k++)
                    {
                        int column = (lane + i * ROW_THREADS) * VECTOR + k;
                        float share = weight_gradient[i * VECTOR + k];
                        if (ROWS_PER_BLOCK == 1) partials[(uint64)blockIdx.x * HIDDEN + column] = share;
                        else if (turn == 0) shares[column] = share;
                        else if (turn < ROWS_PER_BLOCK - 1) shares[column] += share;
                        else partials[(uint64)blockIdx.x * HIDDEN + column] = shares[column] + share;
                    }
        }
        __syncthreads();
    }
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
