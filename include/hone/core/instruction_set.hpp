#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define HONE_X86_64 1
#if !defined(__CUDACC__)
#define HONE_X86_64_KERNELS 1  // nvcc drops the targets of lambdas; a .cu file has the portable kernels, or those of another
#endif                         // file (HONE_KERNELS_ELSEWHERE in cpu/kernels.hpp)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace hone {

/// What kernels for processors are written for, each including those before it: chosen when a program runs, never by the
/// compiler's flags.
enum class InstructionSet : std::uint8_t {
  portable,  ///< what every processor has that the program was compiled for
  avx2,      ///< AVX2 and FMA: 256 bits
  avx512,    ///< AVX-512 F, BW, DQ, VL: 512 bits
  amx,       ///< AVX-512 as above with BF16, and AMX tiles of bfloat16
};

inline constexpr std::string_view name(InstructionSet set) {
  switch (set) {
    case InstructionSet::portable:
      return "portable";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::amx:
      return "amx";
  }
  return "?";
}
/// The most that this program has kernels for.
inline constexpr InstructionSet best_compiled = InstructionSet::HONE_BEST_INSTRUCTION_SET;
/// The set of that name. Throws E713.
inline InstructionSet instruction_set_named(std::string_view wanted) {
  for (auto const set : {InstructionSet::portable, InstructionSet::avx2, InstructionSet::avx512, InstructionSet::amx})
    if (name(set) == wanted) return set;
  throw Error(713, "an instruction set is not known",
              {.value = std::string(wanted), .allowed = "portable, avx2, avx512, amx"},
              "leave it out: the best that the processor has is taken");
}

/// What the processor can do, and the operating system lets programs do.
struct ProcessorFeatures {
  InstructionSet best = InstructionSet::portable;  ///< and at most best_compiled
  bool avx512_bf16 = false;                        ///< dot products of bfloat16 pairs, fast on some processors only
  bool amx_refused = false;                        ///< the processor has AMX, but the system refuses its use to this process
};

namespace detail {

#if defined(HONE_X86_64)
/// Asks the system for the right to use AMX's tiles (Linux: arch_prctl ARCH_REQ_XCOMP_PERM, XTILEDATA), for all threads.
inline bool request_amx() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  return syscall(SYS_arch_prctl, 0x1023, 18) == 0;
#else
  return false;
#endif
}

/// By CPUID and XGETBV: compilers' __builtin_cpu_supports does not know AMX everywhere.
inline ProcessorFeatures read_features() {
  ProcessorFeatures features;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  bool const fma = c >> 12 & 1, saves = c >> 27 & 1, avx = c >> 28 & 1;
  if (!saves || !avx) return features;
  unsigned low = 0;
  __asm__ volatile("xgetbv" : "=a"(low) : "c"(0) : "edx");  // which registers the system saves
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  auto const has = [](unsigned word, std::initializer_list<int> bits) {
    for (int const bit : bits)
      if (!(word >> bit & 1)) return false;
    return true;
  };
  if (!fma || !has(low, {1, 2}) || !has(b, {5})) return features;
  features.best = InstructionSet::avx2;
  if (!has(low, {5, 6, 7}) || !has(b, {16, 17, 30, 31})) return features;  // F, DQ, BW, VL
  features.best = InstructionSet::avx512;
  bool const tiles = has(d, {22, 24});  // AMX-BF16, AMX-TILE
  unsigned const saved = low;
  if (__get_cpuid_count(7, 1, &a, &b, &c, &d)) features.avx512_bf16 = a >> 5 & 1;
  if (tiles && features.avx512_bf16 && has(saved, {17, 18})) {
    features.amx_refused = !request_amx();
    if (!features.amx_refused) features.best = InstructionSet::amx;
  }
  return features;
}
#else
inline ProcessorFeatures read_features() { return {}; }
#endif

}  // namespace detail

/// Found out once; the right to use AMX is asked for by the first call, best before threads are started.
inline ProcessorFeatures const& processor_features() {
  static ProcessorFeatures const features = [] {
    ProcessorFeatures has = detail::read_features();
    has.best = std::min(has.best, best_compiled);
    return has;
  }();
  return features;
}

/// The instruction set that kernels use: the best there is, or less where HONE_INSTRUCTION_SET names less (to compare, to
/// find faults). Throws E713 for an unknown name, E714 for one that this processor does not have.
inline InstructionSet choose_instruction_set(std::optional<InstructionSet> wanted = {}) {
  InstructionSet const best = processor_features().best;
  if (!wanted)
    if (char const* const named = std::getenv("HONE_INSTRUCTION_SET"); named && *named)
      wanted = instruction_set_named(named);
  if (!wanted) return best;
  if (*wanted > best)
    throw Error(714, "this processor does not have the instruction set that was asked for",
                {.value = std::string(name(*wanted)), .allowed = "at most " + std::string(name(best))},
                *wanted > best_compiled ? "this program was compiled with HONE_BEST_INSTRUCTION_SET, without kernels for it"
                : processor_features().amx_refused
                    ? "the processor has AMX, but the system refuses it to this process"
                    : "leave it out: the best that the processor has is taken");
  return *wanted;
}

}  // namespace hone
