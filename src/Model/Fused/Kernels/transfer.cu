// What the host sends in every micro-batch and step. Kernels take it, from page-locked host memory or from their arguments: a copy would
// wait behind all that the copy engine has to do, and offloaded state keeps it busy for a tenth of a second.

// target (count) becomes what source (count), in host memory, is; the weight of a token's loss is the micro-batch's too.
extern "C" __global__ void take_micro_batch(uint4* target, const uint4* source, int count, StepScalars* scalars, float loss_weight)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i == 0) scalars->loss_weight = loss_weight;
    if (i < count) target[i] = source[i];
}

extern "C" __global__ void begin_step(StepScalars* scalars, float learning_rate, float first_correction, float second_correction,
                                      float maximum_norm, uint32 step)
{
    scalars->learning_rate = learning_rate;
    scalars->first_correction = first_correction;
    scalars->second_correction = second_correction;
    scalars->maximum_norm = maximum_norm;
    scalars->step = step;
}
