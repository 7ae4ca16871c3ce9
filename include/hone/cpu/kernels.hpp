#pragma once

#include "hone/cpu/rung.hpp"
#include "hone/cpu/simd.hpp"

namespace hone {

/// Runs the operation's vector kernel for the instruction set of the context.
template <class Op>
  requires(!std::is_base_of_v<NoKernel, detail::portable::Kernel<Op>>)
struct CpuKernel<Op> {
  static void run(HostContext& context, Op const& op) {
    switch (context.instruction_set()) {
#if defined(HONE_X86_64)
      case InstructionSet::amx:
      case InstructionSet::avx512:
        return detail::avx512::Kernel<Op>::run(context, op);
      case InstructionSet::avx2:
        return detail::avx2::Kernel<Op>::run(context, op);
#endif
      default:
        return detail::portable::Kernel<Op>::run(context, op);
    }
  }
};

}  // namespace hone
