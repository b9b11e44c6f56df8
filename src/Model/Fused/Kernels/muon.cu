// Muon (Jordan et al. 2024): a matrix goes down by its momentum made orthogonal. Matrices of equal size are taken together, x-th by
// blockIdx.y: `muon_momentum`, `muon_normalize` into X, Newton-Schulz iterations by matrix products, `muon_update` from their result.
// X always lies flat: (rows, columns) with rows <= columns, in bf16 whatever the activations are; taller matrices are turned.

struct MuonMatrix
{
    uint64 offset;       // first element in the flat buffers
    uint64 moment;       // first element of its momentum
    int rows, columns;   // as it lies there
    float rate;          // its learning rate, over the step's
    int unused;
};

#define MUON_TILE 32

// The momentum takes in the gradient: buffer += (gradient - buffer) (1 - momentum). partials (matrices, gridDim.x): sums of squares of
// the direction gradient + (buffer - gradient) momentum (Nesterov's). Elements are a multiple of 4.
extern "C" __global__ void muon_momentum(float* moments, const float* gradients, float* partials, const MuonMatrix* matrices,
    const StepScalars* scalars, float momentum)
{
    __shared__ float scratch[32];
    MuonMatrix matrix = matrices[blockIdx.y];
    float4* buffer = (float4*)(moments + matrix.moment);
    const float4* gradient = (const float4*)(gradients + matrix.offset);
    float factor = scalars->gradient_factor, share = 1.0f - momentum, sum = 0.0f;
    uint64 count = (uint64)matrix.rows * matrix.columns / 4;
    if (scalars->finite != 0.0f)
        for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (uint64)gridDim.x * blockDim.x)
        {
            float4 m = buffer[i], g = gradient[i];
            float old[4] = {m.x, m.y, m.z, m.w}, fresh[4] = {g.x * factor, g.y * factor, g.z * factor, g.w * factor};
            for (int k = 0; k < 4; k++)
            {
                old[k] += (fresh[k] - old[k]) * share;
                float direction = fresh[k] + (old[k] - fresh[k]) * momentum;
                sum += direction * direction;
            }
            m.x = old[0]; m.y = old[1]; m.z = old[2]; m.w = old[3];
            buffer[i] = m;
        }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) partials[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

// x (matrices, rows, columns of the flat form) = the direction over its norm. Grid (tiles of 32 x 32, matrices), block (32, 8).
extern "C" __global__ void muon_normalize(half_bits* x, const float* moments, const float* gradients, const float* partials, int shares,
    const MuonMatrix* matrices, const StepScalars* scalars, float momentum)
{
    __shared__ float tile[MUON_TILE][MUON_TILE + 1];
    __shared__ float total;
    MuonMatrix matrix = matrices[blockIdx.y];
    if (threadIdx.y == 0)
    {
        float sum = 0.0f;
        for (int i = threadIdx.x; i < shares; i += 32) sum += partials[blockIdx.y * shares + i];
        sum = warp_sum(sum);
        if (threadIdx.x == 0) total = sum;
    }
    int across = (matrix.columns + MUON_TILE - 1) / MUON_TILE;
    int top = (int)blockIdx.x / across * MUON_TILE, left = (int)blockIdx.x % across * MUON_TILE;
    float factor = scalars->gradient_factor;
    for (int i = threadIdx.y; i < MUON_TILE; i += 8)
    {
        int row = top + i, column = left + threadIdx.x;
        if (row >= matrix.rows || column >= matrix.columns) continue;
        uint64 index = (uint64)row * matrix.columns + column;
        float fresh = gradients[matrix.offset + index] * factor;
        tile[i][threadIdx.x] = fresh + (moments[matrix.moment + index] - fresh) * momentum;
    }
    __syncthreads();
    float inverse = 1.0f / fmaxf(sqrtf(total), 1e-7f);
    x += (uint64)blockIdx.y * matrix.rows * matrix.columns;
    bool tall = matrix.rows > matrix.columns;
    for (int i = threadIdx.y; i < MUON_TILE; i += 8)
    {
        int row = top + (tall ? (int)threadIdx.x : i), column = left + (tall ? i : (int)threadIdx.x);
        if (row >= matrix.rows || column >= matrix.columns) continue;
        uint64 index = tall ? (uint64)column * matrix.rows + row : (uint64)row * matrix.columns + column;
        x[index] = float_to_bf16(tile[row - top][column - left] * inverse);
    }
}

// Weights go down by x, and decay; the gradient is cleared. Grid and block as before.
extern "C" __global__ void muon_update(half_bits* weight_high, master_rest* weight_low, float* gradients, const half_bits* x,
    const MuonMatrix* matrices, const StepScalars* scalars, float weight_decay)
{
    __shared__ float tile[MUON_TILE][MUON_TILE + 1];
    MuonMatrix matrix = matrices[blockIdx.y];
    bool tall = matrix.rows > matrix.columns, apply = scalars->finite != 0.0f;
    int across = (matrix.columns + MUON_TILE - 1) / MUON_TILE;
    int top = (int)blockIdx.x / across * MUON_TILE, left = (int)blockIdx.x % across * MUON_TILE;
    float rate = scalars->learning_rate, step_size = rate * matrix.rate, decay = 1.0f - rate * weight_decay;
    x += (uint64)blockIdx.y * matrix.rows * matrix.columns;
    for (int i = threadIdx.y; i < MUON_TILE; i += 8)
    {
        int row = top + (tall ? (int)threadIdx.x : i), column = left + (tall ? i : (int)threadIdx.x);
        if (row >= matrix.rows || column >= matrix.columns) continue;
        uint64 index = tall ? (uint64)column * matrix.rows + row : (uint64)row * matrix.columns + column;
        tile[row - top][column - left] = bf16_to_float(x[index]);
    }
    __syncthreads();
    for (int i = threadIdx.y; i < MUON_TILE; i += 8)
    {
        int row = top + i, column = left + threadIdx.x;
        if (row >= matrix.rows || column >= matrix.columns) continue;
        uint64 index = matrix.offset + (uint64)row * matrix.columns + column;
        if (apply)
        {
            float weight = join_master(weight_high[index], weight_low[index]) * decay - step_size * tile[i][threadIdx.x];
            split_master(weight, weight_high[index], weight_low[index]);
        }
        gradients[index] = 0.0f;
    }
}
