#pragma once

#include <cmath>
#include <string>
#include <string_view>

#include "hone/core/error.hpp"
#include "hone/core/instruction_set.hpp"
#include "hone/cpu/bfloat16_dots.hpp"

namespace hone {

/// Which precision a program computes in, and why: a line to show and to record.
struct PrecisionChoice {
  std::string_view name;  ///< "fp32" or "mixed"
  std::string why;
};

/// The precision for a processor with this instruction set. "auto": the fastest that is safe, which is `mixed` where there
/// are tiles for bfloat16 (its sums, master weights and optimizer are fp32), and else fp32: without tiles bfloat16 saves
/// memory, no time, unless its dot products were measured to be faster than fp32. "fp32" and "mixed" are taken as they are.
/// Throws E715 for another name.
inline PrecisionChoice choose_precision(std::string_view wanted, InstructionSet set,
                                        Bfloat16Dots const& dots = bfloat16_dots()) {
  std::string has(name(set));
  bool const by_dots = set == InstructionSet::avx512 && dots.fast;
  if (set == InstructionSet::avx512 && dots.dots > 0)
    has += ", whose bfloat16 dot products do " + std::to_string(std::llround(dots.dots / 1e9)) +
           " GFLOP/s a core and fp32 " + std::to_string(std::llround(dots.multiply_adds / 1e9));
  if (wanted == "mixed")
    return {"mixed", set == InstructionSet::amx ? "bfloat16 on AMX tiles, sums and master weights in fp32"
                     : by_dots                  ? "products in bfloat16, all else in fp32 on " + has
                               : "bfloat16 in memory, computed in fp32 on " + has + ": no faster than fp32"};
  if (wanted == "fp32") return {"fp32", "on " + has};
  if (wanted != "auto")
    throw Error(715, "a precision is not known", {.value = std::string(wanted), .allowed = "auto, fp32, mixed"},
                "leave it out: auto takes the fastest that is safe");
  if (set == InstructionSet::amx)
    return {"mixed", "bfloat16 on AMX tiles, sums and master weights in fp32: the fastest here, and as accurate (auto)"};
  if (by_dots) return {"mixed", "products in bfloat16, sums and master weights in fp32, on " + has + " (auto)"};
  return {"fp32", "on " + has + (processor_features().amx_refused ? ", since the system refuses AMX to this process" : "") +
                      ": the fastest here (auto)"};
}

}  // namespace hone
