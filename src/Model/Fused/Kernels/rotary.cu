// Rotary position embedding (Su et al. 2021), Hugging Face's pairing: value i of a head turns with value i + K/2.
// Packed rows qkv (N, (H + 2 G) K): queries, keys, values. One thread turns 8 pairs; grid over N rows x threads of a row.

#define QUERY_KEY_HEADS (HEADS + KEY_VALUE_HEADS)
#define PACKED_WIDTH ((HEADS + 2 * KEY_VALUE_HEADS) * HEAD_SIZE)
#define PAIR_VECTORS (HEAD_SIZE / 2 / VECTOR)

static __device__ __forceinline__ void turn(uint4 first, uint4 second, const float* cosine, const float* sine, float sign,
    uint4* first_out, uint4* second_out)
{
    float a[VECTOR], b[VECTOR];
    unpack(first, a);
    unpack(second, b);
    for (int k = 0; k < VECTOR; k++)
    {
        float x = a[k], y = b[k], s = sign * sine[k];
        a[k] = x * cosine[k] - y * s;
        b[k] = y * cosine[k] + x * s;
    }
    *first_out = pack(a);
    *second_out = pack(b);
}

// Turns queries and keys in place. cosine, sine (T, K/2).
extern "C" __global__ void rotary_forward(uint4* qkv, const float* cosine, const float* sine, int count, int tokens)
{
    const int row_items = QUERY_KEY_HEADS * PAIR_VECTORS;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= (uint64)count * row_items) return;
    int row = (int)(index / row_items), item = (int)(index % row_items);
    int head = item / PAIR_VECTORS, pair = item % PAIR_VECTORS;
    uint4* first = qkv + ((uint64)row * PACKED_WIDTH + head * HEAD_SIZE) / VECTOR + pair;
    uint4* second = first + PAIR_VECTORS;
    int angle = (row % tokens) * (HEAD_SIZE / 2) + pair * VECTOR;
    turn(*first, *second, cosine + angle, sine + angle, 1.0f, first, second);
}

template <bool EIGHT_BITS>
static __device__ __forceinline__ void pack_backward(uint4* d_qkv, uint2* d_qkv8, Scaling* scaling, const uint4* d_query,
    const uint4* d_key, const uint4* d_value, const float* cosine, const float* sine, int count, int tokens)
{
    const int row_items = (HEADS + 2 * KEY_VALUE_HEADS) * PAIR_VECTORS;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    float largest = 0.0f;
    if (index < (uint64)count * row_items)
    {
        int row = (int)(index / row_items), item = (int)(index % row_items);
        int head = item / PAIR_VECTORS, pair = item % PAIR_VECTORS;
        uint64 target = ((uint64)row * PACKED_WIDTH + head * HEAD_SIZE) / VECTOR + pair;
        const uint4* source;
        if (head < HEADS) source = d_query + ((uint64)row * HEADS + head) * (HEAD_SIZE / VECTOR);
        else if (head < QUERY_KEY_HEADS) source = d_key + ((uint64)row * KEY_VALUE_HEADS + head - HEADS) * (HEAD_SIZE / VECTOR);
        else source = d_value + ((uint64)row * KEY_VALUE_HEADS + head - QUERY_KEY_HEADS) * (HEAD_SIZE / VECTOR);
        uint4 first = source[pair], second = source[pair + PAIR_VECTORS];
        if (head < QUERY_KEY_HEADS)
        {
            int angle = (row % tokens) * (HEAD_SIZE / 2) + pair * VECTOR;
            turn(first, second, cosine + angle, sine + angle, -1.0f, &first, &second);
        }
        d_qkv[target] = first;
        d_qkv[target + PAIR_VECTORS] = second;
        if (EIGHT_BITS)
        {
            float a[VECTOR], b[VECTOR], scale = scaling->scale;
            unpack(first, a);
            unpack(second, b);
            d_qkv8[target] = pack_e5m2(a, scale);
            d_qkv8[target + PAIR_VECTORS] = pack_e5m2(b, scale);
            largest = largest_magnitude(b, largest_magnitude(a, 0.0f));
        }
    }
    if (EIGHT_BITS) record_largest(scaling, largest);
}

// Packs d_query (N, H K), d_key and d_value (N, G K) into d_qkv, queries and keys turned back.
extern "C" __global__ void rotary_backward(uint4* d_qkv, const uint4* d_query, const uint4* d_key, const uint4* d_value,
    const float* cosine, const float* sine, int count, int tokens)
{
    pack_backward<false>(d_qkv, 0, 0, d_query, d_key, d_value, cosine, sine, count, tokens);
}

// The same, and d_qkv8 = d_qkv in e5m2.
extern "C" __global__ void rotary_backward_e5m2(uint4* d_qkv, uint2* d_qkv8, Scaling* scaling, const uint4* d_query,
    const uint4* d_key, const uint4* d_value, const float* cosine, const float* sine, int count, int tokens)
{
    pack_backward<true>(d_qkv, d_qkv8, scaling, d_query, d_key, d_value, cosine, sine, count, tokens);
}
