// SwiGLU (Shazeer 2020): out = silu(gate) * up, silu(g) = g * sigmoid(g). gate_up (N, 2 F): gate first, then up.
// One thread takes 8 columns.

static __device__ __forceinline__ float sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }

// out (N, F)
extern "C" __global__ void swiglu_forward(uint4* out, const uint4* gate_up, int count)
{
    const int row_vectors = INTERMEDIATE / VECTOR;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= (uint64)count * row_vectors) return;
    uint64 source = index / row_vectors * (2 * row_vectors) + index % row_vectors;
    float gate[VECTOR], up[VECTOR];
    unpack(gate_up[source], gate);
    unpack(gate_up[source + row_vectors], up);
    for (int k = 0; k < VECTOR; k++) up[k] *= gate[k] * sigmoid(gate[k]);
    out[index] = pack(up);
}

// gate_up is replaced by its own gradient; out (N, F) = the forward result again, for the weight gradient of down_proj.
extern "C" __global__ void swiglu_backward(uint4* gate_up, uint4* out, const uint4* d_out, int count)
{
    const int row_vectors = INTERMEDIATE / VECTOR;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= (uint64)count * row_vectors) return;
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
    gate_up[source] = pack(gate);
    gate_up[source + row_vectors] = pack(up);
    out[index] = pack(value);
}
