// AdamW (Loshchilov and Hutter 2019) over the flat buffers, in PyTorch's order of operations, after clipping by global norm.

// What the host writes before a step and the step's results, in device memory: nothing in the step waits for the host.
struct StepScalars
{
    float loss_scale;            // gradient of the loss: 1 / (predicted tokens x micro-batches), times the fp16 loss scale
    float loss_weight;           // weight of a token's loss in the reported mean: 1 / (predicted tokens x micro-batches)
    float learning_rate;
    float first_correction;      // 1 - beta1^step
    float second_correction;     // sqrt(1 - beta2^step)
    float inverse_loss_scale;    // 1, or 1 / the fp16 loss scale
    float maximum_norm;          // 0: no clipping
    float loss;                  // out: mean loss of the step
    float norm;                  // out: global gradient norm before clipping
    float gradient_factor;       // out: what gradients are multiplied by: clipping and unscaling
    float finite;                // out: 1, or 0 where the update is skipped
};

// partials (gridDim): sums of squares of gradient (count), count a multiple of 4.
extern "C" __global__ void sum_of_squares(float* partials, const float4* gradient, uint64 count)
{
    __shared__ float scratch[32];
    float sum = 0.0f;
    for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count / 4; i += (uint64)gridDim.x * blockDim.x)
    {
        float4 g = gradient[i];
        sum += g.x * g.x + g.y * g.y + g.z * g.z + g.w * g.w;
    }
    sum = block_sum(sum, scratch);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

// One block. The norm of the gradient, and the factor that clipping leaves (torch.nn.utils.clip_grad_norm_).
extern "C" __global__ void clip_by_norm(StepScalars* scalars, const float* partials, int count)
{
    __shared__ float scratch[32];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partials[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x != 0) return;
    float norm = sqrtf(sum) * scalars->inverse_loss_scale;
    float factor = 1.0f;
    if (scalars->maximum_norm > 0.0f) factor = fminf(1.0f, scalars->maximum_norm / (norm + 1e-6f));
    bool finite = norm < 3.0e38f; // false for NaN too
    scalars->norm = norm;
    scalars->gradient_factor = factor * scalars->inverse_loss_scale;
    scalars->finite = finite ? 1.0f : 0.0f;
}

static __device__ __forceinline__ float adamw_element(float weight, float gradient, float& first, float& second, float decay,
    float beta1, float beta2, float epsilon, float step_size, float inverse_second_correction)
{
    weight *= decay;
    first = first + (gradient - first) * (1.0f - beta1);
    second = second * beta2 + (1.0f - beta2) * gradient * gradient;
    return weight - step_size * first / (sqrtf(second) * inverse_second_correction + epsilon);
}

// Updates count elements (a multiple of 4) and clears the gradient. Elements from `decayed` (a multiple of 4) on do not decay.
extern "C" __global__ void adamw(uint2* weight_high, uint2* weight_low, float4* gradient, float4* first, float4* second,
    const StepScalars* scalars, uint64 count, uint64 decayed, float beta1, float beta2, float epsilon, float weight_decay)
{
    const float4 zero = {0.0f, 0.0f, 0.0f, 0.0f};
    float factor = scalars->gradient_factor, rate = scalars->learning_rate;
    float step_size = rate / scalars->first_correction, inverse = 1.0f / scalars->second_correction;
    bool apply = scalars->finite != 0.0f;
    for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count / 4; i += (uint64)gridDim.x * blockDim.x)
    {
        float4 g = gradient[i];
        if (!apply)
        {
            gradient[i] = zero;
            continue;
        }
        float4 m = first[i], v = second[i];
        uint2 high = weight_high[i], low = weight_low[i];
        float decay = i * 4 < decayed ? 1.0f - rate * weight_decay : 1.0f;
        half_bits h[4] = {(half_bits)high.x, (half_bits)(high.x >> 16), (half_bits)high.y, (half_bits)(high.y >> 16)};
        half_bits l[4] = {(half_bits)low.x, (half_bits)(low.x >> 16), (half_bits)low.y, (half_bits)(low.y >> 16)};
        float w0 = adamw_element(join_master(h[0], l[0]), g.x * factor, m.x, v.x, decay, beta1, beta2, epsilon, step_size, inverse);
        float w1 = adamw_element(join_master(h[1], l[1]), g.y * factor, m.y, v.y, decay, beta1, beta2, epsilon, step_size, inverse);
        float w2 = adamw_element(join_master(h[2], l[2]), g.z * factor, m.z, v.z, decay, beta1, beta2, epsilon, step_size, inverse);
        float w3 = adamw_element(join_master(h[3], l[3]), g.w * factor, m.w, v.w, decay, beta1, beta2, epsilon, step_size, inverse);
        split_master(w0, h[0], l[0]);
        split_master(w1, h[1], l[1]);
        split_master(w2, h[2], l[2]);
        split_master(w3, h[3], l[3]);
        first[i] = m;
        second[i] = v;
        high.x = (uint32)h[0] | ((uint32)h[1] << 16); high.y = (uint32)h[2] | ((uint32)h[3] << 16);
        low.x = (uint32)l[0] | ((uint32)l[1] << 16); low.y = (uint32)l[2] | ((uint32)l[3] << 16);
        weight_high[i] = high;
        weight_low[i] = low;
        gradient[i] = zero; // last: a store to a line whose load is still under way stalls the memory system (3 times slower)
    }
}

// Float32 weights (count) into their two halves, and back. Exact for every bit pattern; a NaN's `high` alone may be any value.
extern "C" __global__ void split_weights(half_bits* high, half_bits* low, const float* weights, uint64 count)
{
    for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (uint64)gridDim.x * blockDim.x)
        split_master(weights[i], high[i], low[i]);
}

extern "C" __global__ void join_weights(float* weights, const half_bits* high, const half_bits* low, uint64 count)
{
    for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (uint64)gridDim.x * blockDim.x)
        weights[i] = join_master(high[i], low[i]);
}

// Values of magnitude 0.5 to 1 everywhere: products are timed on these, since zeros run faster than data.
extern "C" __global__ void fill_noise(uint32* out, uint64 count)
{
    for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (uint64)gridDim.x * blockDim.x)
    {
        uint32 hash = (uint32)i * 2654435761u;
        hash = (hash ^ (hash >> 15)) * 2246822519u;
        out[i] = (hash & 0x807f807fu) | 0x3f003f00u;
    }
}
