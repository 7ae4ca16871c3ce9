#pragma once

#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

#if defined(HONE_ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace hone::detail {

/// Memory for the stack of a fiber, with a page below it that may not be touched, so that an overflow is seen.
class FiberStack {
 public:
  explicit FiberStack(std::size_t bytes) : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))), bytes_(page_ + bytes) {
    memory_ = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED || ::mprotect(memory_, page_, PROT_NONE) != 0) {
      if (memory_ != MAP_FAILED) ::munmap(memory_, bytes_);
      throw Error(711, "memory could not be allocated",
                  {.value = std::to_string(bytes_) + " bytes for the stack of a fiber"},
                  "use kernels with fewer threads, or a machine with more memory");
    }
  }
  FiberStack(FiberStack const&) = delete;
  FiberStack& operator=(FiberStack const&) = delete;
  ~FiberStack() { ::munmap(memory_, bytes_); }

  void* bottom() const { return static_cast<char*>(memory_) + page_; }
  std::size_t size() const { return bytes_ - page_; }

 private:
  std::size_t page_, bytes_;
  void* memory_ = nullptr;
};

#if defined(HONE_FIBER_X86_64)

/// Keeps what a call must keep on the stack in use, and goes on with the stack `to`; returns when someone comes back.
/// System V calling convention; the control words of floating point are those of the thread, for all fibers.
__attribute__((naked, noinline)) inline void switch_stacks(void** /*from: rdi*/, void* /*to: rsi*/) {
  asm volatile(
      "pushq %rbp\n\t"
      "pushq %rbx\n\t"
      "pushq %r12\n\t"
      "pushq %r13\n\t"
      "pushq %r14\n\t"
      "pushq %r15\n\t"
      "movq %rsp, (%rdi)\n\t"
      "movq %rsi, %rsp\n\t"
      "popq %r15\n\t"
      "popq %r14\n\t"
      "popq %r13\n\t"
      "popq %r12\n\t"
      "popq %rbx\n\t"
      "popq %rbp\n\t"
      "ret\n\t");
}

/// The first code on a new stack: calls r12 with rbx.
__attribute__((naked, noinline)) inline void begin_stack() {
  asm volatile(
      "movq %rbx, %rdi\n\t"
      "call *%r12\n\t"
      "ud2\n\t");
}

/// Two stacks and the way between them, in a few instructions.
class AssemblySwitch {
 public:
  /// The next enter() calls entry(argument) on the stack. `entry` never returns.
  void prepare(FiberStack const& stack, void (*entry)(void*), void* argument) {
    auto top = reinterpret_cast<std::uintptr_t>(stack.bottom()) + stack.size();
    auto* frame = reinterpret_cast<void**>(top & ~std::uintptr_t{63}) - 9;  // rsp is a multiple of 16 in begin_stack
    void* const words[8] = {
        nullptr, nullptr, nullptr, reinterpret_cast<void*>(entry), argument, nullptr, reinterpret_cast<void*>(&begin_stack),
        nullptr};  // r15 r14 r13 r12 rbx rbp, return address
    for (int i = 0; i < 8; ++i) frame[i] = words[i];
    inside_ = frame;
  }
  void enter() { switch_stacks(&outside_, inside_); }
  void leave() { switch_stacks(&inside_, outside_); }

 private:
  void* inside_ = nullptr;
  void* outside_ = nullptr;
};
#endif

/// The same through <ucontext.h>: for other processors; slower, for it asks the system to keep the signal mask.
class UcontextSwitch {
 public:
  void prepare(FiberStack const& stack, void (*entry)(void*), void* argument) {
    ::getcontext(&inside_);
    inside_.uc_stack.ss_sp = stack.bottom();
    inside_.uc_stack.ss_size = stack.size();
    inside_.uc_link = nullptr;
    entry_ = entry;
    argument_ = argument;
    auto const self = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(this));  // arguments are ints
    ::makecontext(&inside_, reinterpret_cast<void (*)()>(&begin), 2, static_cast<unsigned>(self >> 32),
                  static_cast<unsigned>(self));
  }
  void enter() { ::swapcontext(&outside_, &inside_); }
  void leave() { ::swapcontext(&inside_, &outside_); }

 private:
  static void begin(unsigned high, unsigned low) {
    auto const word = static_cast<std::uint64_t>(high) << 32 | low;
    auto const* self = reinterpret_cast<UcontextSwitch const*>(static_cast<std::uintptr_t>(word));
    self->entry_(self->argument_);
  }

  ucontext_t inside_{}, outside_{};
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
};

#if defined(HONE_FIBER_X86_64)
using DefaultSwitch = AssemblySwitch;
#else
using DefaultSwitch = UcontextSwitch;
#endif

#if defined(HONE_ADDRESS_SANITIZER)
inline constexpr std::size_t fiber_stack_bytes = 512 << 10;  // every variable has its own zones around it
#else
inline constexpr std::size_t fiber_stack_bytes = 128 << 10;  // touched pages alone take memory
#endif

/// A function on a stack of its own that can pause and be resumed by the thread that started it. The stack is kept and
/// used again by the next start.
template <class Switch = DefaultSwitch>
class Fiber {
 public:
  explicit Fiber(std::size_t stack_bytes = fiber_stack_bytes) : stack_(stack_bytes) {}
  Fiber(Fiber const&) = delete;
  Fiber& operator=(Fiber const&) = delete;

  /// Makes ready to run function(argument), by the next resume(). Must not be called while a function is paused: what lies
  /// on its stack would never be destroyed. The function lets no exception out.
  void start(void (*function)(void*), void* argument) {
    function_ = function;
    argument_ = argument;
    running_ = true;
#if defined(HONE_ADDRESS_SANITIZER)
    __asan_unpoison_memory_region(stack_.bottom(), stack_.size());
#endif
    switch_.prepare(stack_, &Fiber::begin, this);
  }

  /// Runs the function until it pauses or ends.
  void resume() {
#if defined(HONE_ADDRESS_SANITIZER)
    void* keep = nullptr;
    __sanitizer_start_switch_fiber(&keep, stack_.bottom(), stack_.size());
#endif
    switch_.enter();
#if defined(HONE_ADDRESS_SANITIZER)
    __sanitizer_finish_switch_fiber(keep, nullptr, nullptr);
#endif
  }

  /// Called by the function: goes back to who resumed it, until the next resume().
  void pause() { leave(false); }

  /// Whether a function was started and has not ended.
  bool running() const { return running_; }

 private:
  static void begin(void* self) {
    auto* const fiber = static_cast<Fiber*>(self);
    fiber->arrive(nullptr);
    fiber->function_(fiber->argument_);
    fiber->running_ = false;
    fiber->leave(true);
  }

  void leave([[maybe_unused]] bool for_good) {
#if defined(HONE_ADDRESS_SANITIZER)
    void* keep = nullptr;
    __sanitizer_start_switch_fiber(for_good ? nullptr : &keep, outside_bottom_, outside_size_);
    switch_.leave();
    arrive(keep);
#else
    switch_.leave();
#endif
  }

  void arrive([[maybe_unused]] void* keep) {
#if defined(HONE_ADDRESS_SANITIZER)
    __sanitizer_finish_switch_fiber(keep, &outside_bottom_, &outside_size_);
#endif
  }

  FiberStack stack_;
  Switch switch_;
  void (*function_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool running_ = false;
#if defined(HONE_ADDRESS_SANITIZER)
  void const* outside_bottom_ = nullptr;
  std::size_t outside_size_ = 0;
#endif
};

}  // namespace hone::detail
