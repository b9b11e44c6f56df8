// Launches by name: every kernel of the translation unit stands in a table together with what it takes.
#pragma once
#include "cuda_emulator.h"

namespace emulator
{
// A parameter's kind, checked against what the caller passes: the driver itself would read the wrong bytes silently.
template <typename T> constexpr char kind()
{
    if (__is_class(T)) return '?';
    return sizeof(T) == 4 ? 'i' : 'l';
}
template <> constexpr char kind<float>() { return 'f'; }
template <typename T> struct Kind { static constexpr char value = kind<T>(); };
template <typename T> struct Kind<T*> { static constexpr char value = 'p'; };

template <size_t... Indices> struct Sequence {};
template <size_t N, size_t... Indices> struct Counting : Counting<N - 1, N - 1, Indices...> {};
template <size_t... Indices> struct Counting<0, Indices...> { using Type = Sequence<Indices...>; };

template <auto Kernel> struct Entry;
template <typename... Parameters, void (*Kernel)(Parameters...)> struct Entry<Kernel>
{
    static constexpr char kinds[] = {Kind<Parameters>::value..., '\0'};
    static void call(void** values) { spread(values, typename Counting<sizeof...(Parameters)>::Type()); }

private:
    template <size_t... Indices> static void spread(void** values, Sequence<Indices...>) { Kernel(*(Parameters*)values[Indices]...); }
};

struct Kernel
{
    const char* name;
    const char* kinds;
    void (*call)(void**);
};

#define EMULATED_KERNEL(name) {#name, ::emulator::Entry<name>::kinds, ::emulator::Entry<name>::call}

// Null, or what went wrong; valid until the next launch. Not for two threads at once.
static const char* launch(const Kernel* kernels, const char* name, const unsigned* grid, const unsigned* block, void** values, const char* kinds)
{
    while (kernels->name && strcmp(kernels->name, name)) kernels++;
    if (!kernels->name) return "there is no such kernel";
    if (strcmp(kernels->kinds, kinds))
    {
        snprintf(failure, sizeof failure, "it takes (%s) and was given (%s); p pointer, i 32 bits, l 64 bits, f float", kernels->kinds, kinds);
        return failure;
    }
    uint64_t size = (uint64_t)block[0] * block[1] * block[2];
    if (size == 0 || size > MaximalThreads) return "a block has 1 to 1024 threads";
    if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0) return "a grid has at least one block";
    if (grid[1] > 65535 || grid[2] > 65535) return "a grid has at most 65535 blocks in y and z";
    if (!stacks) stacks = map_stacks(MaximalThreads);
    if (!stacks) return "no memory for the threads' stacks";

    failure[0] = 0;
    count = (int)size;
    invoke = kernels->call;
    arguments = values;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    for (unsigned z = 0; z < grid[2]; z++)
        for (unsigned y = 0; y < grid[1]; y++)
            for (unsigned x = 0; x < grid[0] && !failure[0]; x++)
            {
                blockIdx = {x, y, z};
                run_block();
            }
    return failure[0] ? failure : nullptr;
}
} // namespace emulator
