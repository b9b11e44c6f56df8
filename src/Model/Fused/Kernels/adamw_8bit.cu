// AdamW on moments of 8 bits: each block of 256 values has a float32 scale, its largest magnitude, and a code of 8 bits a value
// (blockwise dynamic quantisation, Dettmers et al. 2022). One warp takes a block, 8 values a lane: read, updated, rounded in one pass.
//
// A code counts through decades of ten times finer values, half as many in each: `fractions` values from 0.1 to 1, half as many from
// 0.01 to 0.1, down to 2; 0 below them, 1 above them. First moments: a sign bit and codes of 64 fractions (128). Second moments: the
// square root in codes of 128 fractions (256). The host holds the same in BlockQuantization.

#define QUANTIZATION_BLOCK 256
#define FIRST_FRACTIONS 64
#define SECOND_FRACTIONS 128
#define FIRST_CODES (2 * FIRST_FRACTIONS)
#define SECOND_CODES (2 * SECOND_FRACTIONS)
#define SMALLEST_SCALE 3.5527137e-15f // 2^-48: a block of smaller values is zero; beside epsilon they move nothing, and their squares vanish

// 32 random bits of each x: a step of PCG and its output function (Jarzynski and Olano 2020).
static __device__ __forceinline__ uint32 noise(uint32 x)
{
    x = x * 747796405u + 2891336453u;
    x = ((x >> ((x >> 28) + 4)) ^ x) * 277803737u;
    return x >> 22 ^ x;
}

// The code of one of the two values beside x, from 0 to 1: of the one above with the probability that makes x the mean, as `chance`, in
// the lowest 8 bits, decides. Rounding to the nearest would hold moments fast that shrink by less than half a code's width a step.
static __device__ __forceinline__ uint32 dynamic_code(float x, int fractions, const float* values, uint32 chance)
{
    int top = 2 * fractions - 1;
    float decade = x;
    for (; fractions > 2 && decade < 0.1f; fractions >>= 1) decade *= 10.0f;
    int code = fractions - 1 + (int)floorf((decade - 0.1f) * (fractions / 0.9f) - 0.5f);
    if (code < 0) code = 0;
    if (code > top - 1) code = top - 1;
    if (values[code] > x && code > 0) code--; // the value below, which the line above may miss by one
    else if (values[code + 1] <= x && code < top - 1) code++;
    float below = values[code], above = values[code + 1];
    return code + (x - below > ((chance & 0xffu) + 0.5f) / 256.0f * (above - below));
}

static __device__ __forceinline__ uint32 first_code(float x, const float* values, uint32 chance)
{
    return dynamic_code(fabsf(x), FIRST_FRACTIONS, values, chance) | (__float_as_uint(x) >> 31 << 7);
}

// What is not zero stays so: an update divides by it.
static __device__ __forceinline__ uint32 second_code(float x, const float* values, uint32 chance)
{
    uint32 code = dynamic_code(x, SECOND_FRACTIONS, values, chance);
    return code == 0 && x > 0.0f ? 1 : code;
}

// Updates count elements (a multiple of 8), all of which decay, and clears the gradient. codes (count rounded up to whole blocks);
// scales (blocks); values (FIRST_CODES + SECOND_CODES): what codes stand for; first_vector: where in all weights this part begins, in
// vectors of 8, so that chance does not depend on how they are divided. The block of threads is a multiple of 32.
extern "C" __global__ void __launch_bounds__(256) adamw_8bit(half_bits* weight_high, master_rest* weight_low, float4* gradient,
    uint2* first_codes, uint2* second_codes, float* first_scales, float* second_scales, const float* values, const StepScalars* scalars,
    uint64 count, uint64 first_vector, float first_share, float second_kept, float second_share, float epsilon, float weight_decay)
{
    __shared__ float meaning[FIRST_CODES + SECOND_CODES];
    for (int i = threadIdx.x; i < FIRST_CODES + SECOND_CODES; i += blockDim.x) meaning[i] = values[i];
    __syncthreads();

    const float4 zero = {0.0f, 0.0f, 0.0f, 0.0f};
    float factor = scalars->gradient_factor, rate = scalars->learning_rate, decay = 1.0f - rate * weight_decay;
    float step_size = rate / scalars->first_correction, inverse = 1.0f / scalars->second_correction;
    bool apply = scalars->finite != 0.0f;
    uint64 blocks = (count + QUANTIZATION_BLOCK - 1) / QUANTIZATION_BLOCK, stride = (uint64)gridDim.x * blockDim.x / 32;
    for (uint64 block = ((uint64)blockIdx.x * blockDim.x + threadIdx.x) / 32; block < blocks; block += stride)
    {
        uint64 vector = block * (QUANTIZATION_BLOCK / VECTOR) + (threadIdx.x & 31);
        bool present = vector * VECTOR < count; // the last block may be short; its codes are whole
        if (!apply)
        {
            if (present) gradient[2 * vector] = gradient[2 * vector + 1] = zero;
            continue;
        }
        float4 low = zero, high = zero;
        if (present)
        {
            low = gradient[2 * vector];
            high = gradient[2 * vector + 1];
        }
        uint2 m_codes = first_codes[vector], v_codes = second_codes[vector];
        float m_scale = first_scales[block], v_scale = second_scales[block];
        float g[VECTOR] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
        float m[VECTOR], root[VECTOR], weight[VECTOR], m_largest = 0.0f, v_largest = 0.0f;
        if (present)
        {
            load_masters(weight_high, weight_low, 2 * vector, weight);
            load_masters(weight_high, weight_low, 2 * vector + 1, weight + 4);
        }
#pragma unroll
        for (int k = 0; k < VECTOR; k++)
        {
            uint32 m_code = (k < 4 ? m_codes.x : m_codes.y) >> (k & 3) * 8 & 0xffu, v_code = (k < 4 ? v_codes.x : v_codes.y) >> (k & 3) * 8 & 0xffu;
            m[k] = meaning[m_code & 0x7fu] * (m_code & 0x80u ? -m_scale : m_scale);
            root[k] = meaning[FIRST_CODES + v_code] * v_scale;
            float scaled = g[k] * factor, v = root[k] * root[k];
            m[k] = m[k] + (scaled - m[k]) * first_share;
            v = v * second_kept + second_share * scaled * scaled;
            root[k] = sqrtf(v);
            m_largest = fmaxf(m_largest, fabsf(m[k]));
            v_largest = fmaxf(v_largest, root[k]);
            if (present) weight[k] = weight[k] * decay - step_size * (m[k] / (root[k] * inverse + epsilon));
        }
        m_largest = warp_max(m_largest);
        v_largest = warp_max(v_largest);
        if (m_largest < SMALLEST_SCALE) m_largest = 0.0f;
        if (v_largest < SMALLEST_SCALE) v_largest = 0.0f;
        float m_inverse = m_largest > 0.0f ? 1.0f / m_largest : 0.0f, v_inverse = v_largest > 0.0f ? 1.0f / v_largest : 0.0f;
        m_codes.x = m_codes.y = v_codes.x = v_codes.y = 0u;
        uint32 chance = noise(scalars->step) ^ 4 * (uint32)(first_vector + vector);
        uint32 chances[4] = {noise(chance), noise(chance + 1), noise(chance + 2), noise(chance + 3)};
#pragma unroll
        for (int k = 0; k < 4; k++)
        {
            int shift = 8 * k;
            m_codes.x |= first_code(m[k] * m_inverse, meaning, chances[0] >> shift) << shift;
            m_codes.y |= first_code(m[k + 4] * m_inverse, meaning, chances[1] >> shift) << shift;
            v_codes.x |= second_code(root[k] * v_inverse, meaning + FIRST_CODES, chances[2] >> shift) << shift;
            v_codes.y |= second_code(root[k + 4] * v_inverse, meaning + FIRST_CODES, chances[3] >> shift) << shift;
        }
        first_codes[vector] = m_codes;
        second_codes[vector] = v_codes;
        if ((threadIdx.x & 31) == 0)
        {
            first_scales[block] = m_largest;
            second_scales[block] = v_largest;
        }
        if (!present) continue;
        store_masters(weight_high, weight_low, 2 * vector, weight);
        store_masters(weight_high, weight_low, 2 * vector + 1, weight + 4);
        gradient[2 * vector] = gradient[2 * vector + 1] = zero;
    }
}
