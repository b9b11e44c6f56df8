// What the kernels of a decoder's pass share. A pass extends slots, each of which holds one sequence's keys and values.
//
// Shapes: N tokens of the pass, D HIDDEN, F INTERMEDIATE, H HEADS, G KEY_VALUE_HEADS, K HEAD_SIZE, V VOCABULARY, C tokens a slot holds,
// S splits of a sequence in attention. residual (N, D) is float32. Keys and values of one layer: (slots, C, G K) bf16.

#define QUERY_WIDTH (HEADS * HEAD_SIZE)
#define KEY_VALUE_WIDTH (KEY_VALUE_HEADS * HEAD_SIZE)
#define PASS_WIDTH (QUERY_WIDTH + 2 * KEY_VALUE_WIDTH)
#define QUERIES_A_KEY (HEADS / KEY_VALUE_HEADS)
#define PASS_BLOCK 256

// One token of a pass: where it stands. `selected` belongs to the n-th row of logits instead: the token that it scores.
struct PassRow
{
    int token, slot, position, selected;
};

// Kernels of one pass overlap: the next one starts while the last blocks of this one run, loads its weights, and waits here before it
// reads what this one writes (programmatic dependent launch). Elsewhere they follow one another and both calls do nothing.
static __device__ __forceinline__ void let_next_start()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

static __device__ __forceinline__ void wait_for_previous()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// What another kernel of the pass wrote is read past the first-level cache, which is not emptied between overlapping kernels.
static __device__ __forceinline__ float4 load_fresh(const float4* address)
{
#if defined(__CUDA_ARCH__)
    float4 value;
    asm volatile("ld.global.cg.v4.f32 {%0, %1, %2, %3}, [%4];" : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w) : "l"(address) : "memory");
    return value;
#else
    return *address;
#endif
}

static __device__ __forceinline__ uint4 load_fresh(const uint4* address)
{
#if defined(__CUDA_ARCH__)
    uint4 value;
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w) : "l"(address) : "memory");
    return value;
#else
    return *address;
#endif
}

static __device__ __forceinline__ float load_fresh(const float* address)
{
#if defined(__CUDA_ARCH__)
    float value;
    asm volatile("ld.global.cg.f32 %0, [%1];" : "=f"(value) : "l"(address) : "memory");
    return value;
#else
    return *address;
#endif
}

// Eight neighbouring floats.
static __device__ __forceinline__ void load_eight(const float* address, float* values)
{
    float4 first = load_fresh((const float4*)address), second = load_fresh((const float4*)address + 1);
    values[0] = first.x; values[1] = first.y; values[2] = first.z; values[3] = first.w;
    values[4] = second.x; values[5] = second.y; values[6] = second.z; values[7] = second.w;
}

// Puts one head's pair of packed values (i, i + K/2) of a token where it belongs: queries turned into `queries` (N, H K), keys turned
// and values as they are into the slot. `head` counts through queries, keys, values.
static __device__ __forceinline__ void store_pair(float first, float second, int head, int i, int n, PassRow row,
    float* queries, half_bits* keys, half_bits* values, const float* cosine, const float* sine, int context)
{
    const int half = HEAD_SIZE / 2;
    if (head < HEADS + KEY_VALUE_HEADS)
    {
        float c = cosine[(uint64)row.position * half + i], s = sine[(uint64)row.position * half + i];
        float turned = first * c - second * s;
        second = second * c + first * s;
        first = turned;
    }
    if (head < HEADS)
    {
        queries[(uint64)n * QUERY_WIDTH + head * HEAD_SIZE + i] = first;
        queries[(uint64)n * QUERY_WIDTH + head * HEAD_SIZE + i + half] = second;
        return;
    }
    int key_head = head - HEADS;
    half_bits* target = keys;
    if (key_head >= KEY_VALUE_HEADS)
    {
        key_head -= KEY_VALUE_HEADS;
        target = values;
    }
    target += ((uint64)row.slot * context + row.position) * KEY_VALUE_WIDTH + key_head * HEAD_SIZE + i;
    target[0] = from_float(first);
    target[half] = from_float(second);
}

// Eight neighbouring values of attention's result for one token, joined over the splits. partial (N, H, S, K) and statistics (N, H, S, 2):
// each split's sum of weighted values, its largest score and the sum of its weights relative to that.
static __device__ __forceinline__ void join_splits(const float* partial, const float* statistics, int n, int vector, int splits, float* result)
{
    int head = vector / (HEAD_SIZE / VECTOR), inside = vector % (HEAD_SIZE / VECTOR);
    const float* statistic = statistics + ((uint64)n * HEADS + head) * splits * 2;
    const float* values = partial + ((uint64)n * HEADS + head) * splits * HEAD_SIZE + inside * VECTOR;
    float largest = load_fresh(statistic), total = 0.0f;
    for (int s = 1; s < splits; s++) largest = fmaxf(largest, load_fresh(statistic + 2 * s));
    for (int k = 0; k < VECTOR; k++) result[k] = 0.0f;
    for (int s = 0; s < splits; s++)
    {
        float weight = __expf(load_fresh(statistic + 2 * s) - largest), part[VECTOR];
        total += weight * load_fresh(statistic + 2 * s + 1);
        load_eight(values + (uint64)s * HEAD_SIZE, part);
        for (int k = 0; k < VECTOR; k++) result[k] += weight * part[k];
    }
    for (int k = 0; k < VECTOR; k++) result[k] /= total;
}
