// AdamW (Loshchilov and Hutter 2019) over the flat buffers, in PyTorch's order of operations, after clipping by global norm.

// What a step needs beside the buffers, and its results, in device memory: nothing in the step waits for the host.
struct StepScalars
{
    float loss_scale;            // the loss's gradient is multiplied by it, so that fp16 does not lose it; 1 in other types
    float loss_weight;           // weight of a token's loss in the step's mean: 1 / (predicted tokens x micro-batches)
    float learning_rate;
    float first_correction;      // 1 - beta1^step
    float second_correction;     // sqrt(1 - beta2^step)
    float maximum_norm;          // 0: no clipping
    uint32 step;                 // the step's number
    float loss;                  // out: mean loss of the step
    float norm;                  // out: global gradient norm before clipping, unscaled
    float gradient_factor;       // out: what gradients are multiplied by: clipping and unscaling
    float finite;                // out: 1, or 0 where the update is skipped
    float good_steps;            // finite steps since loss_scale last changed
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

// One block. The norm of the gradient, the factor that clipping leaves (torch.nn.utils.clip_grad_norm_), and the next step's loss scale:
// half of this one (at least 1) after a gradient that is not finite, twice as much after `growth_interval` finite ones in a row
// (torch.amp.GradScaler). growth_interval 0: the scale stays.
extern "C" __global__ void clip_by_norm(StepScalars* scalars, const float* partials, int count, int growth_interval)
{
    __shared__ float scratch[32];
    float sum = 0.0f;
    for (int i = threadIdx.x; i < count; i += blockDim.x) sum += partials[i];
    sum = block_sum(sum, scratch);
    if (threadIdx.x != 0) return;
    float scale = scalars->loss_scale, inverse = 1.0f / scale;
    float norm = sqrtf(sum) * inverse;
    float factor = 1.0f;
    if (scalars->maximum_norm > 0.0f) factor = fminf(1.0f, scalars->maximum_norm / (norm + 1e-6f));
    bool finite = norm < 3.0e38f; // false for NaN too
    scalars->norm = norm;
    scalars->gradient_factor = factor * inverse;
    scalars->finite = finite ? 1.0f : 0.0f;
    if (growth_interval == 0) return;
    float good = finite ? scalars->good_steps + 1.0f : 0.0f;
    if (!finite) scale = fmaxf(scale * 0.5f, 1.0f);
    else if (good >= (float)growth_interval)
    {
        good = 0.0f;
        if (scale < 1.0e38f) scale *= 2.0f;
    }
    scalars->loss_scale = scale;
    scalars->good_steps = good;
}

// The moments' next values, and by how much the weight goes down for a step size of 1. PyTorch's constants, each rounded to float32 by
// itself: first_share 1 - beta1, second_kept beta2, second_share 1 - beta2.
static __device__ __forceinline__ float adamw_direction(float gradient, float& first, float& second, float first_share,
    float second_kept, float second_share, float epsilon, float inverse_second_correction)
{
    first = first + (gradient - first) * first_share;
    second = second * second_kept + second_share * gradient * gradient;
    return first / (sqrtf(second) * inverse_second_correction + epsilon);
}

// Updates count elements (a multiple of 4) and clears the gradient. Elements from `decayed` (a multiple of 4) on do not decay.
extern "C" __global__ void adamw(half_bits* weight_high, master_rest* weight_low, float4* gradient, float4* first, float4* second,
    const StepScalars* scalars, uint64 count, uint64 decayed, float first_share, float second_kept, float second_share, float epsilon,
    float weight_decay)
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
        float decay = i * 4 < decayed ? 1.0f - rate * weight_decay : 1.0f, w[4];
        load_masters(weight_high, weight_low, i, w);
        w[0] = w[0] * decay - step_size * adamw_direction(g.x * factor, m.x, v.x, first_share, second_kept, second_share, epsilon, inverse);
        w[1] = w[1] * decay - step_size * adamw_direction(g.y * factor, m.y, v.y, first_share, second_kept, second_share, epsilon, inverse);
        w[2] = w[2] * decay - step_size * adamw_direction(g.z * factor, m.z, v.z, first_share, second_kept, second_share, epsilon, inverse);
        w[3] = w[3] * decay - step_size * adamw_direction(g.w * factor, m.w, v.w, first_share, second_kept, second_share, epsilon, inverse);
        first[i] = m;
        second[i] = v;
        store_masters(weight_high, weight_low, i, w);
        gradient[i] = zero; // last: a store to a line whose load is still under way stalls the memory system (3 times slower)
    }
}

// Float32 weights (count) into their two parts, and back. Exact for every bit pattern; a NaN's `high` alone may be any value.
extern "C" __global__ void split_weights(half_bits* high, master_rest* low, const float* weights, uint64 count)
{
    for (uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += (uint64)gridDim.x * blockDim.x)
        split_master(weights[i], high[i], low[i]);
}

extern "C" __global__ void join_weights(float* weights, const half_bits* high, const master_rest* low, uint64 count)
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
