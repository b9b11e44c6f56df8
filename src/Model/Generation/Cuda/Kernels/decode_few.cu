// A pass of PASS_ROWS tokens (1, 2, 4 or 8), bound by reading the weights once: a warp multiplies one or two rows of a matrix by all tokens, and finishes what follows
// from them. Weights are loaded before the previous kernel's results are waited for. Tokens that fill a pass up stand in a slot that nobody reads.

#define PASS_WARPS (PASS_BLOCK / 32)
#define CHUNK_LIMIT 256                         // vectors of a token's row in shared memory at once

// A row of COLUMNS values in chunks of equal size.
template <int COLUMNS> struct Chunks
{
    static const int Vectors = COLUMNS / VECTOR;
    static const int Count = (Vectors + CHUNK_LIMIT - 1) / CHUNK_LIMIT;
    static const int Size = (Vectors + Count - 1) / Count;
    static const int Lane = (Size + 31) / 32;   // vectors a lane
};

template <int COLUMNS, int OUTPUTS>
static __device__ __forceinline__ void load_weights(const uint4* const* matrix_rows, int chunk, uint4 (*weights)[Chunks<COLUMNS>::Lane])
{
    typedef Chunks<COLUMNS> Row;
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
        for (int i = 0; i < Row::Lane; i++)
        {
            int inside = i * 32 + lane, vector = chunk * Row::Size + inside;
            weights[o][i] = inside < Row::Size && vector < Row::Vectors ? matrix_rows[o][vector] : uint4{0, 0, 0, 0};
        }
}

template <int COLUMNS, int OUTPUTS>
static __device__ __forceinline__ void add_products(const uint4* x, const uint4 (*weights)[Chunks<COLUMNS>::Lane], float (*sums)[PASS_ROWS])
{
    typedef Chunks<COLUMNS> Row;
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < Row::Lane; i++)
    {
        int inside = i * 32 + lane;
        if (inside >= Row::Size) continue;
        float w[OUTPUTS][VECTOR];
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++) unpack(weights[o][i], w[o]);
#pragma unroll
        for (int n = 0; n < PASS_ROWS; n++)
        {
            float values[VECTOR];
            unpack(x[n * Row::Size + inside], values);
#pragma unroll
            for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
                for (int k = 0; k < VECTOR; k++) sums[o][n] += w[o][k] * values[k];
        }
    }
}

// sums[o][n] = matrix_rows[o] . x[n], known to all lanes; the block's warps have rows of their own. x.prepare() runs once the previous
// kernel is done, x(n, vector) gives eight values of token n in 16 bits. `staged` holds PASS_ROWS chunks.
template <int COLUMNS, int OUTPUTS, class Input>
static __device__ __forceinline__ void multiply(const uint4* const* matrix_rows, Input& x, uint4* staged, float (*sums)[PASS_ROWS])
{
    typedef Chunks<COLUMNS> Row;
    uint4 weights[OUTPUTS][Row::Lane];
    load_weights<COLUMNS, OUTPUTS>(matrix_rows, 0, weights);
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
        for (int n = 0; n < PASS_ROWS; n++) sums[o][n] = 0.0f;
    wait_for_previous();
    x.prepare();
    for (int chunk = 0; chunk < Row::Count; chunk++)
    {
        if (chunk > 0) __syncthreads();
        for (int item = threadIdx.x; item < PASS_ROWS * Row::Size; item += PASS_BLOCK)
        {
            int n = item / Row::Size, vector = chunk * Row::Size + item % Row::Size;
            if (vector < Row::Vectors) staged[item] = x(n, vector);
            else staged[item] = uint4{0, 0, 0, 0};
        }
        uint4 next[OUTPUTS][Row::Lane];
        if (chunk + 1 < Row::Count) load_weights<COLUMNS, OUTPUTS>(matrix_rows, chunk + 1, next);
        __syncthreads();
        add_products<COLUMNS, OUTPUTS>(staged, weights, sums);
        if (chunk + 1 < Row::Count)
#pragma unroll
            for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
                for (int i = 0; i < Row::Lane; i++) weights[o][i] = next[o][i];
    }
#pragma unroll
    for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
        for (int n = 0; n < PASS_ROWS; n++) sums[o][n] = warp_sum(sums[o][n]);
}

// Token `lane`'s value of an output, for the lanes below PASS_ROWS.
static __device__ __forceinline__ float own(const float* sums)
{
    float value = sums[0];
    for (int n = 1; n < PASS_ROWS; n++)
        if (threadIdx.x % 32 == n) value = sums[n];
    return value;
}

// RMSNorm of the residual rows, times the norm's weight.
struct NormedRows
{
    const float* residual;      // (N, D)
    const half_bits* norm;      // (D)
    const PassRow* selected;    // says which rows of the residual are meant; null: all, in order
    float epsilon;
    float* scales;              // shared, PASS_ROWS
    float* scratch;             // shared, PASS_WARPS

    __device__ __forceinline__ const float* row(int n) const { return residual + (uint64)(selected ? selected[n].selected : n) * HIDDEN; }

    __device__ __forceinline__ void prepare()
    {
        const int share = PASS_WARPS / PASS_ROWS; // warps a row
        int warp = threadIdx.x / 32, lane = threadIdx.x % 32, n = warp / share;
        float squares = 0.0f;
        const float4* values = (const float4*)row(n);
        for (int i = warp % share * 32 + lane; i < HIDDEN / 4; i += share * 32)
        {
            float4 four = load_fresh(values + i);
            squares += four.x * four.x + four.y * four.y + four.z * four.z + four.w * four.w;
        }
        squares = warp_sum(squares);
        if (lane == 0) scratch[warp] = squares;
        __syncthreads();
        if (threadIdx.x < PASS_ROWS)
        {
            float total = 0.0f;
            for (int i = 0; i < share; i++) total += scratch[threadIdx.x * share + i];
            scales[threadIdx.x] = rsqrtf(total / HIDDEN + epsilon);
        }
        __syncthreads();
    }

    __device__ __forceinline__ uint4 operator()(int n, int vector) const
    {
        float values[VECTOR], weights[VECTOR];
        load_eight(row(n) + vector * VECTOR, values);
        unpack(((const uint4*)norm)[vector], weights);
#pragma unroll
        for (int k = 0; k < VECTOR; k++) values[k] *= scales[n] * weights[k];
        return pack(values);
    }
};

// Attention's result, joined over its splits.
struct AttendedRows
{
    const float* partial;
    const float* statistics;
    int splits;

    __device__ __forceinline__ void prepare() {}

    __device__ __forceinline__ uint4 operator()(int n, int vector) const
    {
        float values[VECTOR];
        join_splits(partial, statistics, n, vector, splits, values);
        return pack(values);
    }
};

// Rows in 16 bits as they are: (N, F).
struct PackedRows
{
    const uint4* values;

    __device__ __forceinline__ void prepare() {}

    __device__ __forceinline__ uint4 operator()(int n, int vector) const { return load_fresh(values + (uint64)n * (INTERMEDIATE / VECTOR) + vector); }
};

// Queries, keys and values of a layer. A warp computes a pair of a head; grid over (H + 2 G) K / 2 warps. queries (N, H K).
extern "C" __global__ void __launch_bounds__(PASS_BLOCK) decode_project(float* queries, half_bits* keys, half_bits* values, const float* residual, const half_bits* norm,
    const uint4* weight, const float* cosine, const float* sine, const PassRow* rows, int context, float epsilon)
{
    __shared__ uint4 staged[PASS_ROWS * Chunks<HIDDEN>::Size];
    __shared__ float scales[PASS_ROWS], scratch[PASS_WARPS];
    let_next_start();
    const int half = HEAD_SIZE / 2, last = PASS_WIDTH / 2 - 1;
    int lane = threadIdx.x % 32, pair = blockIdx.x * PASS_WARPS + threadIdx.x / 32;
    bool idle = pair > last;
    if (idle) pair = last;
    int head = pair / half, i = pair % half;
    const uint4* matrix_rows[2] = {weight + (uint64)(head * HEAD_SIZE + i) * (HIDDEN / VECTOR), weight + (uint64)(head * HEAD_SIZE + i + half) * (HIDDEN / VECTOR)};
    NormedRows x = {residual, norm, 0, epsilon, scales, scratch};
    float sums[2][PASS_ROWS];
    multiply<HIDDEN, 2>(matrix_rows, x, staged, sums);
    if (!idle && lane < PASS_ROWS) store_pair(own(sums[0]), own(sums[1]), head, i, lane, rows[lane], queries, keys, values, cosine, sine, context);
}

// residual += attention's result times the output projection. A warp computes one of D columns.
extern "C" __global__ void __launch_bounds__(PASS_BLOCK) decode_attend_output(float* residual, const float* partial, const float* statistics, const uint4* weight, int splits)
{
    __shared__ uint4 staged[PASS_ROWS * Chunks<QUERY_WIDTH>::Size];
    let_next_start();
    int lane = threadIdx.x % 32, column = blockIdx.x * PASS_WARPS + threadIdx.x / 32;
    const uint4* matrix_rows[1] = {weight + (uint64)(column < HIDDEN ? column : HIDDEN - 1) * (QUERY_WIDTH / VECTOR)};
    AttendedRows x = {partial, statistics, splits};
    float sums[1][PASS_ROWS];
    multiply<QUERY_WIDTH, 1>(matrix_rows, x, staged, sums);
    if (column < HIDDEN && lane < PASS_ROWS) residual[(uint64)lane * HIDDEN + column] = load_fresh(residual + (uint64)lane * HIDDEN + column) + own(sums[0]);
}

// activated (N, F) = silu(gate) up. A warp computes one column; weight is gate (F, D), then up (F, D).
extern "C" __global__ void __launch_bounds__(PASS_BLOCK) decode_gate_up(half_bits* activated, const float* residual, const half_bits* norm, const uint4* weight, float epsilon)
{
    __shared__ uint4 staged[PASS_ROWS * Chunks<HIDDEN>::Size];
    __shared__ float scales[PASS_ROWS], scratch[PASS_WARPS];
    let_next_start();
    int lane = threadIdx.x % 32, column = blockIdx.x * PASS_WARPS + threadIdx.x / 32;
    int meant = column < INTERMEDIATE ? column : INTERMEDIATE - 1;
    const uint4* matrix_rows[2] = {weight + (uint64)meant * (HIDDEN / VECTOR), weight + (uint64)(INTERMEDIATE + meant) * (HIDDEN / VECTOR)};
    NormedRows x = {residual, norm, 0, epsilon, scales, scratch};
    float sums[2][PASS_ROWS];
    multiply<HIDDEN, 2>(matrix_rows, x, staged, sums);
    if (column >= INTERMEDIATE || lane >= PASS_ROWS) return;
    float gate = own(sums[0]), up = own(sums[1]);
    activated[(uint64)lane * INTERMEDIATE + column] = from_float(gate / (1.0f + __expf(-gate)) * up);
}

// residual += activated times the down projection. A warp computes one of D columns.
extern "C" __global__ void __launch_bounds__(PASS_BLOCK) decode_down(float* residual, const uint4* activated, const uint4* weight)
{
    __shared__ uint4 staged[PASS_ROWS * Chunks<INTERMEDIATE>::Size];
    let_next_start();
    int lane = threadIdx.x % 32, column = blockIdx.x * PASS_WARPS + threadIdx.x / 32;
    const uint4* matrix_rows[1] = {weight + (uint64)(column < HIDDEN ? column : HIDDEN - 1) * (INTERMEDIATE / VECTOR)};
    PackedRows x = {activated};
    float sums[1][PASS_ROWS];
    multiply<INTERMEDIATE, 1>(matrix_rows, x, staged, sums);
    if (column < HIDDEN && lane < PASS_ROWS) residual[(uint64)lane * HIDDEN + column] = load_fresh(residual + (uint64)lane * HIDDEN + column) + own(sums[0]);
}

// logits (PASS_ROWS, padded V) of the residual's selected rows; what pads a row is left as it is. A warp computes two neighbouring columns.
extern "C" __global__ void __launch_bounds__(PASS_BLOCK) decode_logits(float* logits, const float* residual, const half_bits* norm, const uint4* weight, const PassRow* selected, float epsilon)
{
    __shared__ uint4 staged[PASS_ROWS * Chunks<HIDDEN>::Size];
    __shared__ float scales[PASS_ROWS], scratch[PASS_WARPS];
    let_next_start();
    int lane = threadIdx.x % 32, first = 2 * (blockIdx.x * PASS_WARPS + threadIdx.x / 32), second = first + 1;
    const uint4* matrix_rows[2] = {weight + (uint64)(first < VOCABULARY ? first : VOCABULARY - 1) * (HIDDEN / VECTOR),
        weight + (uint64)(second < VOCABULARY ? second : VOCABULARY - 1) * (HIDDEN / VECTOR)};
    NormedRows x = {residual, norm, selected, epsilon, scales, scratch};
    float sums[2][PASS_ROWS];
    multiply<HIDDEN, 2>(matrix_rows, x, staged, sums);
    if (lane >= PASS_ROWS) return;
    if (first < VOCABULARY) logits[(uint64)lane * VOCABULARY_PADDED + first] = own(sums[0]);
    if (second < VOCABULARY) logits[(uint64)lane * VOCABULARY_PADDED + second] = own(sums[1]);
}
