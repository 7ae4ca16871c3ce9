#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "hone/core/config.hpp"
#include "hone/core/instruction_set.hpp"

namespace hone {

/// How fast a core multiplies and adds pairs of bfloat16 (`vdpbf16ps`) beside float (`vfmadd`), in operations a second.
struct Bfloat16Dots {
  double dots = 0, multiply_adds = 0;  ///< 0 where the processor has no such instruction
  bool fast = false;                   ///< whether kernels use them: more than half as fast again as float
};

namespace detail {

#if defined(HONE_X86_64_KERNELS)
/// Seconds of the fastest of a few bursts of `turns` x 12 independent operations on registers.
template <class Burst>
double burst_seconds(Burst const& burst) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    auto const start = std::chrono::steady_clock::now();
    burst();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}
// Twelve sums: more than an operation's latency times how many are begun in a cycle.
#define HONE_TWELVE(INSTRUCTION)                                                                                  \
  INSTRUCTION " %%zmm16, %%zmm17, %%zmm0\n\t" INSTRUCTION " %%zmm16, %%zmm17, %%zmm1\n\t"                         \
  INSTRUCTION " %%zmm16, %%zmm17, %%zmm2\n\t" INSTRUCTION " %%zmm16, %%zmm17, %%zmm3\n\t"                         \
  INSTRUCTION " %%zmm16, %%zmm17, %%zmm4\n\t" INSTRUCTION " %%zmm16, %%zmm17, %%zmm5\n\t"                         \
  INSTRUCTION " %%zmm16, %%zmm17, %%zmm6\n\t" INSTRUCTION " %%zmm16, %%zmm17, %%zmm7\n\t"                         \
  INSTRUCTION " %%zmm16, %%zmm17, %%zmm8\n\t" INSTRUCTION " %%zmm16, %%zmm17, %%zmm9\n\t"                         \
  INSTRUCTION " %%zmm16, %%zmm17, %%zmm10\n\t" INSTRUCTION " %%zmm16, %%zmm17, %%zmm11\n\t"
#define HONE_BURST(NAME, INSTRUCTION)                                                                             \
  __attribute__((target("avx512f"), noinline)) inline void NAME(int turns) {                                      \
    __asm__ volatile("vpxord %%zmm16, %%zmm16, %%zmm16\n\tvpxord %%zmm17, %%zmm17, %%zmm17" : : : "xmm16", "xmm17"); \
    for (int turn = 0; turn < turns; ++turn)                                                                      \
      __asm__ volatile(HONE_TWELVE(INSTRUCTION)                                                                   \
                       :                                                                                          \
                       :                                                                                          \
                       : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
                         "xmm11");                                                                                \
    __asm__ volatile("vzeroupper" : : : "xmm0");                                                                  \
  }                                                                                                               \
  static_assert(true)
HONE_BURST(burst_of_dots, "vdpbf16ps");
HONE_BURST(burst_of_multiply_adds, "vfmadd231ps");
#undef HONE_BURST
#undef HONE_TWELVE

inline Bfloat16Dots measure_bfloat16_dots() {
  Bfloat16Dots result;
  if (processor_features().best < InstructionSet::avx512 || !processor_features().avx512_bf16) return result;
  constexpr int turns = 4000;
  burst_of_multiply_adds(turns);  // the clock settles
  result.multiply_adds = 12.0 * 16 * 2 * turns / burst_seconds([] { burst_of_multiply_adds(turns); });
  result.dots = 12.0 * 32 * 2 * turns / burst_seconds([] { burst_of_dots(turns); });
  result.fast = result.dots > 1.5 * result.multiply_adds;
  return result;
}
#else
inline Bfloat16Dots measure_bfloat16_dots() { return {}; }
#endif

}  // namespace detail

/// Measured by the first call, once in a process, in less than a millisecond. The instruction is twice as fast as float on
/// some processors (Zen 4 and 5) and half as fast on others (Sapphire and Emerald Rapids), so that CPUID alone does not
/// tell.
inline Bfloat16Dots const& bfloat16_dots() {
  static Bfloat16Dots const measured = detail::measure_bfloat16_dots();
  return measured;
}

}  // namespace hone
