// The residual stream in float32, as Transformers has it under autocast: what a layer puts out is rounded to 16 bits, its sum with what
// came before is not. The stream exists once; the backward pass keeps each norm's 16-bit output, which the weight gradients need
// anyway, and finds x / rms(x) again as output over weight.
// Float32 values lie in two planes of 16 bits, so that 8 neighbouring values are one access of each plane.

static __device__ __forceinline__ void unpack_planes(const uint4& high, const uint4& low, float* values)
{
    const uint32* h = &high.x;
    const uint32* l = &low.x;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        values[2 * i] = __uint_as_float(h[i] << 16 | (l[i] & 0xffffu));
        values[2 * i + 1] = __uint_as_float((h[i] & 0xffff0000u) | l[i] >> 16);
    }
}

static __device__ __forceinline__ void pack_planes(const float* values, uint4& high, uint4& low)
{
    uint32* h = &high.x;
    uint32* l = &low.x;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        uint32 first = __float_as_uint(values[2 * i]), second = __float_as_uint(values[2 * i + 1]);
        h[i] = first >> 16 | (second & 0xffff0000u);
        l[i] = (first & 0xffffu) | second << 16;
    }
}

// stream (N, D) = table[tokens] in float32; one thread copies 8 values.
extern "C" __global__ void embedding_forward_wide(uint4* stream_high, uint4* stream_low, const int* tokens, const half_bits* table_high,
    const master_rest* table_low, int count)
{
    const int row_vectors = HIDDEN / VECTOR;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= (uint64)count * row_vectors) return;
    int row = (int)(index / row_vectors), column = (int)(index % row_vectors);
    uint64 source = ((uint64)tokens[row] * row_vectors + column) * VECTOR;
    float values[VECTOR];
    for (int k = 0; k < VECTOR; k++) values[k] = join_master(table_high[source + k], table_low[source + k]);
    pack_planes(values, stream_high[index], stream_low[index]);
}

template <bool EIGHT_BITS>
static __device__ __forceinline__ void norm_forward_wide(uint4* y, uint2* y8, Scaling* scaling, float* scales, uint4* stream_high,
    uint4* stream_low, const uint4* branch, const half_bits* weight_high, const master_rest* weight_low, int count, float epsilon)
{
    __shared__ float scratch[ROW_BLOCK / 32][2];
    const int row_vectors = HIDDEN / VECTOR;
    int row = blockIdx.x * ROWS_PER_BLOCK + threadIdx.x / ROW_THREADS, lane = threadIdx.x % ROW_THREADS;
    uint64 start = (uint64)row * row_vectors;

    float x[ROW_VECTORS * VECTOR];
    float squares = 0.0f, unused = 0.0f;
#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (row < count && lane + i * ROW_THREADS < row_vectors)
        {
            uint64 at = start + lane + i * ROW_THREADS;
            uint4 high = stream_high[at], low = stream_low[at];
            unpack_planes(high, low, x + i * VECTOR);
            if (branch)
            {
                float values[VECTOR];
                uint4 packed = branch[at];
                unpack(packed, values);
                for (int k = 0; k < VECTOR; k++) x[i * VECTOR + k] += values[k];
                pack_planes(x + i * VECTOR, high, low);
                stream_high[at] = high;
                stream_low[at] = low;
            }
            for (int k = 0; k < VECTOR; k++) squares += x[i * VECTOR + k] * x[i * VECTOR + k];
        }
    row_sums(squares, unused, scratch);
    float scale = rsqrtf(squares / HIDDEN + epsilon), factor = EIGHT_BITS ? scaling->scale : 0.0f, largest = 0.0f;
    if (row < count && lane == 0) scales[row] = scale;

#pragma unroll
    for (int i = 0; i < ROW_VECTORS; i++)
        if (row < count && lane + i * ROW_THREADS < row_vectors)
        {
            int column = (lane + i * ROW_THREADS) * VECTOR;
            float* values = x + i * VECTOR;
            for (int k = 0; k < VECTOR; k++) values[k] *= scale * join_master(weight_high[column + k], weight_low[column + k]);
            y[start + lane + i * ROW_THREADS] = pack(values);
            if (EIGHT_BITS)
            {
                y8[start + lane + i * ROW_THREADS] = pack_e4m3(values, factor);
                largest = largest_magnitude(values, largest);
            }
        }
    if (EIGHT_BITS) record_largest(scaling, largest);
}

// stream (N, D) += branch (N, D), unless branch is 0; y (N, D) = the norm of stream; scales (N) = 1 / rms of each row.
extern "C" __global__ void __launch_bounds__(ROW_BLOCK) rms_norm_forward_wide(uint4* y, float* scales, uint4* stream_high,
    uint4* stream_low, const uint4* branch, const half_bits* weight_high, const master_rest* weight_low, int count, float epsilon)
{
    norm_forward_wide<false>(y, 0, 0, scales, stream_high, stream_low, branch, weight_high, weight_low, count, epsilon);
}

// The same, and y8 (N, D) = y in e4m3.
extern "C" __global__ void __launch_bounds__(ROW_BLOCK) rms_norm_forward_wide_e4m3(uint4* y, uint2* y8, Scaling* scaling, float* scales,
    uint4* stream_high, uint4* stream_low, const uint4* branch, const half_bits* weight_high, const master_rest* weight_low, int count,
    float epsilon)
{
    norm_forward_wide<true>(y, y8, scaling, scales, stream_high, stream_low, branch, weight_high, weight_low, count, epsilon);
}

// The gradient of the stream: `rounded` is what the products read, `rest` what rounding took off. bf16: together exact, as for master
// weights, except that a NaN is one in `rounded` already. fp16: 22 bits.
static __device__ __forceinline__ float join_gradient(half_bits rounded, half_bits rest)
{
#if HALF_PRECISION
    return to_float(rounded) + to_float(rest);
#else
    return __uint_as_float(((uint32)rounded << 16) + (uint32)(int)(short)rest);
#endif
}

static __device__ __forceinline__ void split_gradient(float value, half_bits& rounded, half_bits& rest)
{
#if HALF_PRECISION
    rounded = from_float(value);
    rest = from_float(value - to_float(rounded));
#else
    uint32 bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) bits = 0x7fc00000u;
    rounded = (half_bits)((bits + 0x8000u) >> 16);
    rest = (half_bits)bits;
#endif
}

static __device__ __forceinline__ void unpack_gradient(const uint4& rounded, const uint4& rest, float* values)
{
    const uint32* h = &rounded.x;
    const uint32* l = &rest.x;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        values[2 * i] = join_gradient((half_bits)h[i], (half_bits)l[i]);
        values[2 * i + 1] = join_gradient((half_bits)(h[i] >> 16), (half_bits)(l[i] >> 16));
    }
}

static __device__ __forceinline__ void pack_gradient(const float* values, uint4& rounded, uint4& rest)
{
    uint32* h = &rounded.x;
    uint32* l = &rest.x;
#pragma unroll
    for (int i = 0; i < 4; i++)
    {
        half_bits first, second, first_rest, second_rest;
        split_gradient(values[2 * i], first, first_rest);
        split_gradient(values[2 * i + 1], second, second_rest);
        h[i] = (uint32)first | (uint32)second << 16;
        l[i] = (uint32)first_rest | (uint32)second_rest << 16;
    }
}

template <bool EIGHT_BITS>
static __device__ __forceinline__ void norm_backward_wide(uint4* d_stream, uint4* d_rest, uint2* d_stream8, Scaling* scaling,
    float* partials, const uint4* y, const float* scales, const uint4* d_y, const half_bits* weight_high, const master_rest* weight_low,
    int count, int add)
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
        uint4 packed_y[ROW_VECTORS], packed_d_y[ROW_VECTORS], before[ROW_VECTORS], before_rest[ROW_VECTORS];
        float products = 0.0f, unused = 0.0f, scale = row < count ? scales[row] : 0.0f;
#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (row < count && lane + i * ROW_THREADS < row_vectors)
            {
                uint64 at = start + lane + i * ROW_THREADS;
                packed_y[i] = y[at];
                packed_d_y[i] = d_y[at];
                if (add)
                {
                    before[i] = d_stream[at];
                    before_rest[i] = d_rest[at];
                }
            }
#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (row < count && lane + i * ROW_THREADS < row_vectors)
            {
                float values[VECTOR], gradients[VECTOR];
                unpack(packed_y[i], values);
                unpack(packed_d_y[i], gradients);
                for (int k = 0; k < VECTOR; k++) products += gradients[k] * values[k];
            }
        row_sums(products, unused, scratch[turn]);
        turn ^= 1;
        float mean = products / HIDDEN;

#pragma unroll
        for (int i = 0; i < ROW_VECTORS; i++)
            if (row < count && lane + i * ROW_THREADS < row_vectors)
            {
                uint64 at = start + lane + i * ROW_THREADS;
                float values[VECTOR], gradients[VECTOR], result[VECTOR] = {0, 0, 0, 0, 0, 0, 0, 0};
                unpack(packed_y[i], values);
                unpack(packed_d_y[i], gradients);
                if (add) unpack_gradient(before[i], before_rest[i], result);
                for (int k = 0; k < VECTOR; k++)
                {
                    float w = weight[i * VECTOR + k];
                    float normed = w != 0.0f ? values[k] / w : 0.0f; // a weight of exactly zero hides what it multiplied
                    weight_gradient[i * VECTOR + k] += gradients[k] * normed;
                    result[k] += scale * (gradients[k] * w - normed * mean);
                }
                uint4 rounded, rest;
                pack_gradient(result, rounded, rest);
                d_stream[at] = rounded;
                d_rest[at] = rest;
                if (EIGHT_BITS)
                {
                    d_stream8[at] = pack_e5m2(result, factor);
                    largest = largest_magnitude(result, largest);
                }
            }
    }

    if (EIGHT_BITS) record_largest(scaling, largest);

    join_weight_gradient(partials, weight_gradient);
}

// Given d_y (N, D), the gradient of y (N, D), and the rows' scales (N):
//   d_stream and d_rest (N, D) += the gradient of the stream  (or = where `add` is 0);
//   partials (gridDim, D) = this block's share of the weight gradient, summed by rms_norm_weight_gradient.
extern "C" __global__ void __launch_bounds__(ROW_BLOCK, 2) rms_norm_backward_wide(uint4* d_stream, uint4* d_rest, float* partials,
    const uint4* y, const float* scales, const uint4* d_y, const half_bits* weight_high, const master_rest* weight_low, int count, int add)
{
    norm_backward_wide<false>(d_stream, d_rest, 0, 0, partials, y, scales, d_y, weight_high, weight_low, count, add);
}

// The same, and d_stream8 (N, D) = d_stream in e5m2.
extern "C" __global__ void __launch_bounds__(ROW_BLOCK, 2) rms_norm_backward_wide_e5m2(uint4* d_stream, uint4* d_rest,
    uint2* d_stream8, Scaling* scaling, float* partials, const uint4* y, const float* scales, const uint4* d_y,
    const half_bits* weight_high, const master_rest* weight_low, int count, int add)
{
    norm_backward_wide<true>(d_stream, d_rest, d_stream8, scaling, partials, y, scales, d_y, weight_high, weight_low, count, add);
}

// As embedding_backward, of a gradient with its rest.
extern "C" __global__ void embedding_backward_wide(float* gradient, float* partials, const uint4* d_stream, const uint4* d_rest,
    const int* order, const int* begin, const int* token, const int* slot, const int* counts)
{
    const int row_vectors = HIDDEN / VECTOR;
    int runs = counts[0];
    for (int run = blockIdx.x; run < runs; run += gridDim.x)
    {
        int first = begin[run], last = begin[run + 1];
        for (int column = threadIdx.x; column < row_vectors; column += blockDim.x)
        {
            float sum[VECTOR] = {0, 0, 0, 0, 0, 0, 0, 0};
            for (int i = first; i < last; i++)
            {
                uint64 at = (uint64)order[i] * row_vectors + column;
                float values[VECTOR];
                unpack_gradient(d_stream[at], d_rest[at], values);
                for (int k = 0; k < VECTOR; k++) sum[k] += values[k];
            }
            bool direct = slot[run] < 0;
            float* target = (direct ? gradient + (uint64)token[run] * HIDDEN : partials + (uint64)slot[run] * HIDDEN) + column * VECTOR;
            for (int k = 0; k < VECTOR; k++) target[k] = direct ? target[k] + sum[k] : sum[k];
        }
    }
}
