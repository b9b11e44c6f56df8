// A stack of its own for every emulated thread, and the switch between it and the scheduler.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

namespace emulator
{
constexpr size_t StackBytes = 64 * 1024;
constexpr uint64_t StackGuard = 0x5afe57acc0de5afeull; // lies at a stack's end: overwritten when the stack overflows

#if defined(__x86_64__) && !defined(EMULATOR_UCONTEXT)

// Saves the callee-saved registers on the running stack, goes over to another one. System V ABI; no system call, unlike
// swapcontext, which keeps the signal mask: a thousand threads at a barrier cost microseconds.
extern "C" void emulator_switch(void** saved, void* next);
asm(R"(
    .text
    .p2align 4
    .globl emulator_switch
    .hidden emulator_switch
    .type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulator_switch, . - emulator_switch
)");

struct Context { void* stack_pointer; };

static void prepare(Context& context, char* stack, void (*entry)())
{
    void** top = (void**)(stack + StackBytes);
    *--top = nullptr;                                // where a return address would lie: keeps the stack aligned as after a call
    *--top = (void*)entry;
    for (int i = 0; i < 6; i++) *--top = nullptr;    // the callee-saved registers
    context.stack_pointer = top;
}

static inline void switch_to(Context& from, Context& to) { emulator_switch(&from.stack_pointer, to.stack_pointer); }

#else

} // namespace emulator
#include <ucontext.h>
namespace emulator
{
struct Context { ucontext_t registers; };

static void prepare(Context& context, char* stack, void (*entry)())
{
    getcontext(&context.registers);
    context.registers.uc_stack.ss_sp = stack + 64;
    context.registers.uc_stack.ss_size = StackBytes - 64;
    context.registers.uc_link = nullptr;
    makecontext(&context.registers, entry, 0);
}

static inline void switch_to(Context& from, Context& to) { swapcontext(&from.registers, &to.registers); }

#endif

// Address space for `count` stacks; memory comes with the first touch.
static char* map_stacks(size_t count)
{
    void* memory = mmap(nullptr, count * StackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    for (size_t i = 0; i < count; i++) memcpy((char*)memory + i * StackBytes, &StackGuard, sizeof StackGuard);
    return (char*)memory;
}

static inline bool overflowed(const char* stack) { return memcmp(stack, &StackGuard, sizeof StackGuard) != 0; }
} // namespace emulator
