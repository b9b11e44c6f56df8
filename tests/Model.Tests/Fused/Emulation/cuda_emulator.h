// What a CUDA kernel expects of its compiler, on the CPU: a translation unit of kernels behind this header is plain C++.
//
// One block runs at a time, its threads as coroutines. A warp's lanes run one after another, each as far as it gets before it
// must wait for others; then the next warp. So threads run as far ahead of each other as the barriers let them, forwards
// after one barrier and backwards after the next: where a barrier is missing, someone reads what is not written yet.
// Shared memory is poisoned before every block, with NaN before even ones and huge numbers before odd ones.
#pragma once
#include "coroutine.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("cuda_shared")))
#define __syncthreads() ::emulator::barrier(__FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, lanes) ::emulator::shuffle_xor(__FILE__, __LINE__, mask, value, lanes)

struct dim3 { unsigned x, y, z; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };

static dim3 threadIdx, blockIdx, blockDim, gridDim;

static inline float __uint_as_float(unsigned bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline unsigned __float_as_uint(float value) { unsigned bits; memcpy(&bits, &value, 4); return bits; }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
// As the hardware does it: the argument's product is rounded, so the relative error grows with |x|.
// Threads of a block take turns and blocks follow each other: nothing comes between.
static inline unsigned atomicMax(unsigned* address, unsigned value)
{
    unsigned before = *address;
    if (value > before) *address = value;
    return before;
}
// A macro, because the C library has a function of that name.
#define __expf(x) exp2f((x) * 1.44269504f)

extern "C" __attribute__((weak, visibility("hidden"))) char __start_cuda_shared[], __stop_cuda_shared[];

namespace emulator
{
constexpr int WarpSize = 32, MaximalThreads = 1024;
enum class State { Ready, AtBarrier, AtShuffle, Done };

struct Thread
{
    Context context;
    dim3 index;
    State state;
    const char* file;       // where it waits
    int line;
    unsigned mask, value;   // of the shuffle it waits in
    int partner;            // lane that it reads
};

static Thread threads[MaximalThreads];
static Context scheduler;
static char* stacks;
static int count, current;
static char failure[1024];
static void (*invoke)(void**);
static void** arguments;

static void fail(const char* format, ...)
{
    if (failure[0]) return;
    int length = snprintf(failure, sizeof failure, "block (%u, %u, %u): ", blockIdx.x, blockIdx.y, blockIdx.z);
    va_list values;
    va_start(values, format);
    vsnprintf(failure + length, sizeof failure - length, format, values);
    va_end(values);
}

static void wait(State state, const char* file, int line)
{
    Thread& thread = threads[current];
    thread.state = state;
    thread.file = file;
    thread.line = line;
    switch_to(thread.context, scheduler);
}

static __attribute__((noinline)) void barrier(const char* file, int line) { wait(State::AtBarrier, file, line); }

static __attribute__((noinline)) unsigned exchange(const char* file, int line, unsigned mask, unsigned value, int lanes)
{
    Thread& thread = threads[current];
    thread.mask = mask;
    thread.value = value;
    thread.partner = (current % WarpSize) ^ lanes;
    wait(State::AtShuffle, file, line);
    return thread.value;
}

template <typename T> static inline T shuffle_xor(const char* file, int line, unsigned mask, T value, int lanes)
{
    static_assert(sizeof(T) == 4, "only shuffles of 32 bits are emulated");
    unsigned bits;
    memcpy(&bits, &value, 4);
    bits = exchange(file, line, mask, bits, lanes);
    memcpy(&value, &bits, 4);
    return value;
}

static void thread_main()
{
    invoke(arguments);
    wait(State::Done, "", 0);
}

static void resume(int thread)
{
    current = thread;
    threadIdx = threads[thread].index;
    switch_to(scheduler, threads[thread].context);
}

// Lets the lanes go on that wait in one shuffle, once every lane that the mask names and that has not ended is there.
static bool release_shuffle(int first, int lanes)
{
    Thread* warp = threads + first;
    for (int lane = 0; lane < lanes; lane++)
    {
        if (warp[lane].state != State::AtShuffle) continue;
        Thread& leader = warp[lane];
        if (!(leader.mask >> lane & 1)) { fail("%s:%d: lane %d shuffles under the mask %08x, which does not name it", leader.file, leader.line, lane, leader.mask); return false; }
        unsigned present = 0;
        bool complete = true;
        for (int other = 0; other < lanes; other++)
        {
            if (!(leader.mask >> other & 1) || warp[other].state == State::Done) continue;
            if (warp[other].state == State::AtShuffle && warp[other].mask == leader.mask && warp[other].line == leader.line) present |= 1u << other;
            else complete = false;
        }
        if (!complete) continue;
        unsigned values[WarpSize];
        for (int other = 0; other < lanes; other++) values[other] = warp[other].value;
        for (int other = 0; other < lanes; other++)
        {
            if (!(present >> other & 1)) continue;
            int partner = warp[other].partner;
            if (partner < 0 || partner >= WarpSize || !(present >> partner & 1))
            {
                fail("%s:%d: thread %d shuffles with lane %d, which is not there", leader.file, leader.line, first + other, partner);
                return false;
            }
            warp[other].value = values[partner];
            warp[other].state = State::Ready;
        }
        return true;
    }
    return false;
}

// Runs a warp until all of its lanes wait for others or have ended.
static void run_warp(int first, int lanes, bool forwards)
{
    do
        for (int i = 0; i < lanes; i++)
        {
            int thread = first + (forwards ? i : lanes - 1 - i);
            if (threads[thread].state == State::Ready) resume(thread);
        }
    while (release_shuffle(first, lanes) && !failure[0]);
}

static bool release_barrier()
{
    int waiting[4] = {0, 0, 0, 0};
    const Thread* at_barrier = nullptr, *at_shuffle = nullptr;
    for (int i = 0; i < count; i++)
    {
        waiting[(int)threads[i].state]++;
        if (threads[i].state == State::AtShuffle) at_shuffle = threads + i;
        if (threads[i].state != State::AtBarrier) continue;
        if (at_barrier && (at_barrier->line != threads[i].line || strcmp(at_barrier->file, threads[i].file)))
            fail("threads wait at different barriers: %s:%d and %s:%d", at_barrier->file, at_barrier->line, threads[i].file, threads[i].line);
        at_barrier = threads + i;
    }
    if (at_shuffle)
        fail("%d threads wait for ever in a shuffle (%s:%d), %d at a barrier%s%s, %d have ended", waiting[(int)State::AtShuffle],
            at_shuffle->file, at_shuffle->line, waiting[(int)State::AtBarrier], at_barrier ? " of " : "",
            at_barrier ? at_barrier->file : "", waiting[(int)State::Done]);
    if (failure[0] || !at_barrier) return false;
    for (int i = 0; i < count; i++)
        if (threads[i].state == State::AtBarrier) threads[i].state = State::Ready;
    return true;
}

static void run_block()
{
    bool odd = (blockIdx.x + blockIdx.y + blockIdx.z) & 1, forwards = !odd;
    if (__start_cuda_shared) memset(__start_cuda_shared, odd ? 0x7f : 0xff, __stop_cuda_shared - __start_cuda_shared);
    for (int i = 0; i < count; i++)
    {
        threads[i].state = State::Ready;
        threads[i].index = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
        prepare(threads[i].context, stacks + i * StackBytes, thread_main);
    }
    int warps = (count + WarpSize - 1) / WarpSize;
    do
    {
        for (int i = 0; i < warps && !failure[0]; i++)
        {
            int first = (forwards ? i : warps - 1 - i) * WarpSize;
            run_warp(first, count - first < WarpSize ? count - first : WarpSize, forwards);
        }
        forwards = !forwards;
    } while (!failure[0] && release_barrier());
    for (int i = 0; i < count; i++)
        if (overflowed(stacks + i * StackBytes)) fail("thread %d needs more than %zu bytes of stack", i, StackBytes);
}
} // namespace emulator
