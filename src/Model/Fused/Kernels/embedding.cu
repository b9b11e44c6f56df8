// Token embedding: rows of the table out, gradients back in.

// out (N, D) = table[tokens] ; one thread copies 8 values.
extern "C" __global__ void embedding_forward(uint4* out, const int* tokens, const uint4* table, int count)
{
    const int row_vectors = HIDDEN / VECTOR;
    uint64 index = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= (uint64)count * row_vectors) return;
    int row = (int)(index / row_vectors), column = (int)(index % row_vectors);
    out[index] = table[(uint64)tokens[row] * row_vectors + column];
}

// The positions of a token are summed in runs of at most 32, so that a frequent token is no serial chain and the order of
// additions is fixed. The host sorts: `order` (N) lists positions by token; run i sums order[begin[i] .. begin[i + 1]).
// slot[i] < 0: the token has one run, which adds into `gradient` (V, D) at row token[i]; otherwise the sum goes to
// `partials` (slots, D) row slot[i], and embedding_backward_join adds these. counts = { runs, joins }.
extern "C" __global__ void embedding_backward(float* gradient, float* partials, const uint4* d_out, const int* order,
    const int* begin, const int* token, const int* slot, const int* counts)
{
    const int row_vectors = HIDDEN / VECTOR;
    int runs = counts[0];
    for (int run = blockIdx.x; run < runs; run += gridDim.x)
    {
        int first = begin[run], last = begin[run + 1];
        for (int column = threadIdx.x; column < row_vectors; column += blockDim.x)
        {
            float sum[VECTOR] = {0, 0, 0, 0, 0, 0, 0, 0};
            for (int i = first; i < last; i++)
            {
                float values[VECTOR];
                unpack(d_out[(uint64)order[i] * row_vectors + column], values);
                for (int k = 0; k < VECTOR; k++) sum[k] += values[k];
            }
            bool direct = slot[run] < 0;
            float* target = (direct ? gradient + (uint64)token[run] * HIDDEN : partials + (uint64)slot[run] * HIDDEN) + column * VECTOR;
            for (int k = 0; k < VECTOR; k++) target[k] = direct ? target[k] + sum[k] : sum[k];
        }
    }
}

// gradient[join_token[j]] += partials[join_begin[j] .. join_begin[j + 1])
extern "C" __global__ void embedding_backward_join(float* gradient, const float* partials, const int* join_begin,
    const int* join_token, const int* counts)
{
    int joins = counts[1];
    for (int join = blockIdx.x; join < joins; join += gridDim.x)
        for (int column = threadIdx.x; column < HIDDEN; column += blockDim.x)
        {
            float sum = 0.0f;
            for (int i = join_begin[join]; i < join_begin[join + 1]; i++) sum += partials[(uint64)i * HIDDEN + column];
            gradient[(uint64)join_token[join] * HIDDEN + column] += sum;
        }
}
