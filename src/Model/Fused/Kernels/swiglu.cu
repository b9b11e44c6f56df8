// SwiGLU (Shazeer 2020): out = silu(gate) * up, silu(g) = g * sigmoid(g). gate_up (N, 2 F): gate first, then up.
// One thread takes 8 columns.

static __device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }

template <bool EIGHT_BITS>
static __device__ __forceinline__ void product_forward(uint4* out, uint2* out8, Scaling* scaling, const uint4* gate_up, int count)
{
    const int row_vectors = INTERMEDIATE / VECTOR;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    float largest = 0.0f;
    if (index < (uint64)count * row_vectors)
    {
        uint64 source = index / row_vectors * (2 * row_vectors) + index % row_vectors;
        float gate[VECTOR], up[VECTOR];
        unpack(gate_up[source], gate);
        unpack(gate_up[source + row_vectors], up);
        for (int k = 0; k < VECTOR; k++) up[k] *= gate[k] * sigmoid(gate[k]);
        if (EIGHT_BITS)
        {
            out8[index] = pack_e4m3(up, scaling->scale);
            largest = largest_magnitude(up, largest);
        }
        else out[index] = pack(up);
    }
    if (EIGHT_BITS) record_largest(scaling, largest);
}

// out (N, F)
extern "C" __global__ void swiglu_forward(uint4* out, const uint4* gate_up, int count)
{
    product_forward<false>(out, 0, 0, gate_up, count);
}

// The same into e4m3.
extern "C" __global__ void swiglu_forward_e4m3(uint2* out8, Scaling* scaling, const uint4* gate_up, int count)
{
    product_forward<true>(0, out8, scaling, gate_up, count);
}

template <bool EIGHT_BITS>
static __device__ __forceinline__ void product_backward(uint4* gate_up, uint2* d_gate_up8, Scaling* scaling, uint4* out,
    const uint4* d_out, int count)
{
    const int row_vectors = INTERMEDIATE / VECTOR;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    float largest = 0.0f;
    if (index < (uint64)count * row_vectors)
    {
        uint64 source = index / row_vectors * (2 * row_vectors) + index % row_vectors;
        float gate[VECTOR], up[VECTOR], gradient[VECTOR], value[VECTOR];
        unpack(gate_up[source], gate);
        unpack(gate_up[source + row_vectors], up);
        unpack(d_out[index], gradient);
        for (int k = 0; k < VECTOR; k++)
        {
            float s = sigmoid(gate[k]), silu = gate[k] * s;
            value[k] = silu * up[k];
            gate[k] = gradient[k] * up[k] * s * (1.0f + gate[k] * (1.0f - s));
            up[k] = gradient[k] * silu;
        }
        if (EIGHT_BITS)
        {
            float scale = scaling->scale;
            d_gate_up8[source] = pack_e5m2(gate, scale);
            d_gate_up8[source + row_vectors] = pack_e5m2(up, scale);
            largest = largest_magnitude(up, largest_magnitude(gate, 0.0f));
        }
        gate_up[source] = pack(gate);
        gate_up[source + row_vectors] = pack(up);
        out[index] = pack(value);
    }
    if (EIGHT_BITS) record_largest(scaling, largest);
}

// gate_up is replaced by its own gradient; out (N, F) = the forward result again, for the weight gradient of down_proj.
extern "C" __global__ void swiglu_backward(uint4* gate_up, uint4* out, const uint4* d_out, int count)
{
    product_backward<false>(gate_up, 0, 0, out, d_out, count);
}

// The same, and d_gate_up8 (N, 2 F) = the gradient in e5m2.
extern "C" __global__ void swiglu_backward_e5m2(uint4* gate_up, uint2* d_gate_up8, Scaling* scaling, uint4* out, const uint4* d_out,
    int count)
{
    product_backward<true>(gate_up, d_gate_up8, scaling, out, d_out, count);
}
