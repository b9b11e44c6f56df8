// What 8-bit products need beside the kernels that write their operands: scales that follow the data, and 8-bit weights.

#define SCALING_HISTORY 16

// What maps `largest` to the format's largest value; 1 where nothing or something infinite was seen. At most 1e30: the quotient of a
// vanishing magnitude would be infinite, and make NaN of zeros.
static __device__ __forceinline__ float scale_for(float largest, float format_largest)
{
    return largest > 0.0f && largest < 3.0e38f ? fminf(format_largest / largest, 1.0e30f) : 1.0f;
}

// Delayed scaling (Micikevicius et al. 2022): a tensor's next scale maps the largest magnitude of its last SCALING_HISTORY micro-steps
// to the format's largest value. One thread a tensor; history (tensors, SCALING_HISTORY); largest (tensors): 448 or 57344.
extern "C" __global__ void update_scales(Scaling* scalings, float* history, const float* format_largest, int tensors)
{
    int tensor = blockIdx.x * blockDim.x + threadIdx.x;
    if (tensor >= tensors) return;
    history += (uint64)tensor * SCALING_HISTORY;
    float newest = __uint_as_float(scalings[tensor].largest), largest = newest;
    for (int i = SCALING_HISTORY - 1; i > 0; i--)
    {
        history[i] = history[i - 1];
        largest = fmaxf(largest, history[i]);
    }
    history[0] = newest;
    scalings[tensor].largest = 0u;
    float scale = scale_for(largest, format_largest[tensor]);
    scalings[tensor].scale = scale;
    scalings[tensor].inverse = 1.0f / scale;
}

// The largest magnitude of a weight matrix (count values, a multiple of 8) into its record.
extern "C" __global__ void weight_largest(Scaling* scaling, const uint4* weight, uint64 count)
{
    float largest = 0.0f;
    for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count / VECTOR; i += (uint64)gridDim.x * blockDim.x)
    {
        float values[VECTOR];
        unpack(weight[i], values);
        largest = largest_magnitude(values, largest);
    }
    record_largest(scaling, largest);
}

extern "C" __global__ void weight_scale(Scaling* scalings, int tensors)
{
    int tensor = blockIdx.x * blockDim.x + threadIdx.x;
    if (tensor >= tensors) return;
    float largest = __uint_as_float(scalings[tensor].largest);
    float scale = scale_for(largest, E4M3_LARGEST);
    scalings[tensor].scale = scale;
    scalings[tensor].inverse = 1.0f / scale;
    scalings[tensor].largest = 0u;
}

// weight (rows, columns) into e4m3, as it is (rows, columns) and transposed (columns, rows). Block (32, 8), grid over 64 x 64 tiles:
// (ceil(columns / 64), ceil(rows / 64)); rows and columns are multiples of 8.
extern "C" __global__ void weight_to_e4m3(unsigned char* straight, unsigned char* transposed, const half_bits* weight,
    const Scaling* scaling, int rows, int columns)
{
    __shared__ unsigned char tile[64][68];
    float scale = scaling->scale;
    int column = blockIdx.x * 64 + threadIdx.x * 2;
    for (int i = threadIdx.y; i < 64; i += 8)
    {
        int row = blockIdx.y * 64 + i;
        if (row >= rows || column >= columns) continue;
        uint32 pair = *(const uint32*)(weight + (uint64)row * columns + column);
        uint32 packed = pack_e4m3(low_half(pair) * scale, high_half(pair) * scale);
        *(unsigned short*)(straight + (uint64)row * columns + column) = (unsigned short)packed;
        tile[threadIdx.x * 2][i] = (unsigned char)packed;
        tile[threadIdx.x * 2 + 1][i] = (unsigned char)(packed >> 8);
    }
    __syncthreads();
    int row = blockIdx.y * 64 + threadIdx.x * 2;
    for (int i = threadIdx.y; i < 64; i += 8)
    {
        int target = blockIdx.x * 64 + i;
        if (row >= rows || target >= columns) continue;
        *(unsigned short*)(transposed + (uint64)target * rows + row) =
            (unsigned short)(tile[i][threadIdx.x * 2] | (uint32)tile[i][threadIdx.x * 2 + 1] << 8);
    }
}
