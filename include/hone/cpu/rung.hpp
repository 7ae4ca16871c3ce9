#pragma once

#include <string_view>

#include "hone/core/backend.hpp"

namespace hone {

namespace detail {

class KernelDemand;
/// What the kernel for Op takes of scratch memory and packed weights: cpu/kernel_memory.hpp.
template <class Op>
struct KernelMemory;

}  // namespace detail

/// A kernel for processors: vector code and threads. Specialised by the headers of cpu/.
template <class Op>
struct CpuKernel : NoKernel {};

struct CpuRung {
  static constexpr std::string_view name = "cpu";
  template <class Op>
  using Kernel = CpuKernel<Op>;
  /// Adds what the kernel for Op takes at these sizes, beside its operands (Plan::kernel).
  template <class Op, class... Sizes>
  static void count(detail::KernelDemand& demand, Sizes... sizes) {
    detail::KernelMemory<Op>::count(demand, sizes...);
  }
};

}  // namespace hone
