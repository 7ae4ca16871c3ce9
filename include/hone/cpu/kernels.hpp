#pragma once

#include <type_traits>

#include "hone/cpu/rung.hpp"
#include "hone/cpu/simd.hpp"
#include "hone/cpu/simd_tiles.hpp"

namespace hone {
namespace detail {

template <class Kernel>
inline constexpr bool is_kernel = !std::is_base_of_v<NoKernel, Kernel>;

}  // namespace detail

/// Runs the operation's vector kernel for the instruction set of the context: with tiles where there is such a kernel.
template <class Op>
  requires(detail::is_kernel<detail::portable::Kernel<Op>>)
struct CpuKernel<Op> {
  static void run(HostContext& context, Op const& op) {
#if defined(HONE_X86_64)
    InstructionSet const set = context.instruction_set();
    if constexpr (detail::is_kernel<detail::amx::Kernel<Op>>)
      if (set == InstructionSet::amx) return detail::amx::Kernel<Op>::run(context, op);
    if (set >= InstructionSet::avx512) return detail::avx512::Kernel<Op>::run(context, op);
    if (set == InstructionSet::avx2) return detail::avx2::Kernel<Op>::run(context, op);
#endif
    detail::portable::Kernel<Op>::run(context, op);
  }
};

}  // namespace hone
