#pragma once

#include <string_view>

#include "hone/core/backend.hpp"

namespace hone {

/// A kernel for processors: vector code and threads. Specialised by the headers of cpu/.
template <class Op>
struct CpuKernel : NoKernel {};

struct CpuRung {
  static constexpr std::string_view name = "cpu";
  template <class Op>
  using Kernel = CpuKernel<Op>;
};

}  // namespace hone
