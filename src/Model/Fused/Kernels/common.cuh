// Types and reductions that every kernel uses. No header is included: NVRTC compiles this with nothing but itself.
//
// The model's shape is a compile-time constant, given as macros when the kernels are compiled for a run:
//   HIDDEN D, INTERMEDIATE F, HEADS H, KEY_VALUE_HEADS G, HEAD_SIZE K, VOCABULARY V, VOCABULARY_PADDED (a multiple of 64),
//   ROW_THREADS threads that share one row of D values, HALF_PRECISION 1 for fp16 activations, otherwise bf16.
// Shapes in comments: N = rows x tokens of a micro-batch.

typedef unsigned short half_bits;   // a bf16 or fp16 value
typedef unsigned int uint32;
typedef unsigned long long uint64;

#define FULL_WARP 0xffffffffu
#define VECTOR 8                    // 16-bit values in one 16-byte access
#define ROW_BLOCK 512               // threads a block of the kernels that work on rows of D values
#define ROWS_PER_BLOCK (ROW_BLOCK / ROW_THREADS)
#define ROW_VECTORS ((HIDDEN / VECTOR + ROW_THREADS - 1) / ROW_THREADS)

// ---- 16-bit values -------------------------------------------------------------------------------------------------

static __device__ __forceinline__ float bf16_to_float(half_bits bits) { return __uint_as_float((uint32)bits << 16); }

// Nearest, ties to even; NaN stays NaN.
static __device__ __forceinline__ half_bits float_to_bf16(float value)
{
    uint32 bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (half_bits)((bits >> 16) | 0x40u);
    return (half_bits)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static __device__ __forceinline__ uint32 pack_bf16(float low, float high)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32 packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
#else
    return (uint32)float_to_bf16(low) | ((uint32)float_to_bf16(high) << 16);
#endif
}

#if HALF_PRECISION
static __device__ __forceinline__ float to_float(half_bits bits)
{
#if defined(__CUDA_ARCH__)
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
#else
    uint32 sign = (uint32)(bits & 0x8000u) << 16, exponent = bits >> 10 & 0x1fu, fraction = bits & 0x3ffu;
    if (exponent == 0) return __uint_as_float(sign | __float_as_uint((float)fraction * 5.9604645e-8f)); // subnormal: units of 2^-24
    return __uint_as_float(sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13);
#endif
}

// Nearest, ties to even; from 65520 on infinite; NaN stays NaN.
static __device__ __forceinline__ half_bits from_float(float value)
{
#if defined(__CUDA_ARCH__)
    half_bits bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
#else
    uint32 bits = __float_as_uint(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return (half_bits)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return (half_bits)(sign | 0x7c00u);
    // Below 2^-14 the result counts units of 2^-24, the last place of floats from 0.5 to 1.
    if (magnitude < 0x38800000u) return (half_bits)(sign | (__float_as_uint(__uint_as_float(magnitude) + 0.5f) - 0x3f000000u));
    return (half_bits)(sign | (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u)) >> 13);
#endif
}

static __device__ __forceinline__ uint32 pack(float low, float high)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32 packed;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
#else
    return (uint32)from_float(low) | ((uint32)from_float(high) << 16);
#endif
}
#else
static __device__ __forceinline__ float to_float(half_bits bits) { return bf16_to_float(bits); }
static __device__ __forceinline__ half_bits from_float(float value) { return float_to_bf16(value); }
static __device__ __forceinline__ uint32 pack(float low, float high) { return pack_bf16(low, high); }
#endif

static __device__ __forceinline__ float low_half(uint32 packed) { return to_float((half_bits)(packed & 0xffffu)); }
static __device__ __forceinline__ float high_half(uint32 packed) { return to_float((half_bits)(packed >> 16)); }

static __device__ __forceinline__ void unpack(const uint4& packed, float* values)
{
    values[0] = low_half(packed.x); values[1] = high_half(packed.x);
    values[2] = low_half(packed.y); values[3] = high_half(packed.y);
    values[4] = low_half(packed.z); values[5] = high_half(packed.z);
    values[6] = low_half(packed.w); values[7] = high_half(packed.w);
}

static __device__ __forceinline__ uint4 pack(const float* values)
{
    uint4 packed;
    packed.x = pack(values[0], values[1]);
    packed.y = pack(values[2], values[3]);
    packed.z = pack(values[4], values[5]);
    packed.w = pack(values[6], values[7]);
    return packed;
}

// ---- 8-bit floats --------------------------------------------------------------------------------------------------
// e4m3 (up to 448) for what flows forward, e5m2 (up to 57344) for gradients; nearest, ties to even, too large becomes the largest.

#define E4M3_LARGEST 448.0f
#define E5M2_LARGEST 57344.0f

static __device__ __forceinline__ uint32 round_to_8_bits(float value, int mantissa, int bias, float largest)
{
    uint32 bits = __float_as_uint(value), sign = bits >> 31 << 7, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return sign | 0x7fu;
    float absolute = fminf(__uint_as_float(magnitude), largest);
    // Adding a float whose last bit weighs as much as the result's rounds to it, subnormal results included.
    int exponent = (int)(__float_as_uint(absolute) >> 23) - 127;
    if (exponent < 1 - bias) exponent = 1 - bias;
    float anchor = __uint_as_float((uint32)(exponent - mantissa + 23 + 127) << 23);
    float rounded = (absolute + anchor) - anchor;
    uint32 units = (uint32)(rounded * __uint_as_float((uint32)(127 - (1 - bias - mantissa)) << 23)); // in smallest subnormals
    int power = 0;
    while (units >= (2u << mantissa)) { units >>= 1; power++; }
    return sign | (units >> mantissa ? (uint32)((power + 1) << mantissa) | (units & ((1u << mantissa) - 1u)) : units);
}

static __device__ __forceinline__ uint32 pack_e4m3(float low, float high)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    unsigned short packed;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(packed) : "f"(high), "f"(low));
    return packed;
#else
    return round_to_8_bits(low, 3, 7, E4M3_LARGEST) | round_to_8_bits(high, 3, 7, E4M3_LARGEST) << 8;
#endif
}

static __device__ __forceinline__ uint32 pack_e5m2(float low, float high)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    unsigned short packed;
    asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(packed) : "f"(high), "f"(low));
    return packed;
#else
    return round_to_8_bits(low, 2, 15, E5M2_LARGEST) | round_to_8_bits(high, 2, 15, E5M2_LARGEST) << 8;
#endif
}

// One scaled tensor: values are multiplied by `scale` before they are rounded; products multiply by `inverse`; `largest` collects the
// bits of the largest magnitude seen, unscaled.
struct Scaling
{
    float scale;
    uint32 largest;
    uint32 unused[2];
    float inverse;          // 16-byte aligned, as cuBLASLt wants it
    uint32 unused_too[3];
};

static __device__ __forceinline__ uint2 pack_e4m3(const float* values, float scale)
{
    uint2 packed;
    packed.x = pack_e4m3(values[0] * scale, values[1] * scale) | pack_e4m3(values[2] * scale, values[3] * scale) << 16;
    packed.y = pack_e4m3(values[4] * scale, values[5] * scale) | pack_e4m3(values[6] * scale, values[7] * scale) << 16;
    return packed;
}

static __device__ __forceinline__ uint2 pack_e5m2(const float* values, float scale)
{
    uint2 packed;
    packed.x = pack_e5m2(values[0] * scale, values[1] * scale) | pack_e5m2(values[2] * scale, values[3] * scale) << 16;
    packed.y = pack_e5m2(values[4] * scale, values[5] * scale) | pack_e5m2(values[6] * scale, values[7] * scale) << 16;
    return packed;
}

static __device__ __forceinline__ float largest_magnitude(const float* values, float largest)
{
    for (int k = 0; k < VECTOR; k++) largest = fmaxf(largest, fabsf(values[k]));
    return largest;
}

// ---- Master weights ------------------------------------------------------------------------------------------------
// A float32 master weight has two parts: `high`, which the matrix products read as it is, and `low`, which makes it exact.
// bf16: `high` is the weight rounded to bf16, `low` what rounding took off, as a signed number of float32 units in the last place.
// fp16 has too few exponents for that: `high` is the weight rounded to fp16, `low` the whole float32 weight.

#if HALF_PRECISION
typedef float master_rest;

static __device__ __forceinline__ float join_master(half_bits, float low) { return low; }

static __device__ __forceinline__ void split_master(float value, half_bits& high, float& low)
{
    high = from_float(value);
    low = value;
}
#else
typedef half_bits master_rest;

static __device__ __forceinline__ float join_master(half_bits high, half_bits low)
{
    return __uint_as_float(((uint32)high << 16) + (uint32)(int)(short)low);
}

static __device__ __forceinline__ void split_master(float value, half_bits& high, half_bits& low)
{
    uint32 bits = __float_as_uint(value);
    uint32 rounded = (bits + 0x8000u) >> 16;
    high = (half_bits)rounded;
    low = (half_bits)(bits - (rounded << 16));
}
#endif

// Four neighbouring master weights, the i-th four of their arrays.
static __device__ __forceinline__ void load_masters(const half_bits* high, const master_rest* low, uint64 i, float* weights)
{
#if HALF_PRECISION
    float4 four = ((const float4*)low)[i];
    weights[0] = four.x; weights[1] = four.y; weights[2] = four.z; weights[3] = four.w;
#else
    uint2 h = ((const uint2*)high)[i], l = ((const uint2*)low)[i];
    weights[0] = join_master((half_bits)h.x, (half_bits)l.x);
    weights[1] = join_master((half_bits)(h.x >> 16), (half_bits)(l.x >> 16));
    weights[2] = join_master((half_bits)h.y, (half_bits)l.y);
    weights[3] = join_master((half_bits)(h.y >> 16), (half_bits)(l.y >> 16));
#endif
}

static __device__ __forceinline__ void store_masters(half_bits* high, master_rest* low, uint64 i, const float* weights)
{
    uint2 h;
#if HALF_PRECISION
    float4 four = {weights[0], weights[1], weights[2], weights[3]};
    h.x = pack(weights[0], weights[1]);
    h.y = pack(weights[2], weights[3]);
    ((float4*)low)[i] = four;
#else
    half_bits highs[4], lows[4];
    for (int k = 0; k < 4; k++) split_master(weights[k], highs[k], lows[k]);
    uint2 l;
    h.x = (uint32)highs[0] | ((uint32)highs[1] << 16); h.y = (uint32)highs[2] | ((uint32)highs[3] << 16);
    l.x = (uint32)lows[0] | ((uint32)lows[1] << 16); l.y = (uint32)lows[2] | ((uint32)lows[3] << 16);
    ((uint2*)low)[i] = l;
#endif
    ((uint2*)high)[i] = h;
}

// ---- Reductions ----------------------------------------------------------------------------------------------------

static __device__ __forceinline__ float warp_sum(float value)
{
    for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_xor_sync(FULL_WARP, value, offset);
    return value;
}

static __device__ __forceinline__ float warp_max(float value)
{
    for (int offset = 16; offset > 0; offset >>= 1) value = fmaxf(value, __shfl_xor_sync(FULL_WARP, value, offset));
    return value;
}

// Sum over the block's threads, known to all of them; `scratch` holds 32 floats. The order of additions is fixed.
static __device__ __forceinline__ float block_sum(float value, float* scratch)
{
    value = warp_sum(value);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = value;
    __syncthreads();
    float total = (threadIdx.x & 31) < (blockDim.x >> 5) ? scratch[threadIdx.x & 31] : 0.0f;
    return warp_sum(total);
}

static __device__ __forceinline__ float block_max(float value, float* scratch)
{
    value = warp_max(value);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) scratch[threadIdx.x >> 5] = value;
    __syncthreads();
    float total = (threadIdx.x & 31) < (blockDim.x >> 5) ? scratch[threadIdx.x & 31] : -3.402823466e38f;
    return warp_max(total);
}

// Sums of two values over the ROW_THREADS threads of each row in the block (a power of two, 32 to ROW_BLOCK), known to all of them.
// `scratch` holds two floats a warp. Consecutive calls alternate between two scratch arrays, so one barrier a call is enough.
static __device__ __forceinline__ void row_sums(float& first, float& second, float (*scratch)[2])
{
    first = warp_sum(first);
    second = warp_sum(second);
    if (ROW_THREADS == 32) return;
    int warp = threadIdx.x >> 5;
    if ((threadIdx.x & 31) == 0)
    {
        scratch[warp][0] = first;
        scratch[warp][1] = second;
    }
    __syncthreads();
    int start = threadIdx.x / ROW_THREADS * (ROW_THREADS / 32);
    first = 0.0f;
    second = 0.0f;
    for (int i = 0; i < ROW_THREADS / 32; i++)
    {
        first += scratch[start + i][0];
        second += scratch[start + i][1];
    }
}

// Joins each warp's largest magnitude into a tensor's record; the bits of floats from 0 on are ordered as the floats are.
static __device__ __forceinline__ void record_largest(Scaling* scaling, float largest)
{
    largest = warp_max(largest);
    if ((threadIdx.x & 31) == 0 && __float_as_uint(largest) > scaling->largest) atomicMax(&scaling->largest, __float_as_uint(largest));
}
