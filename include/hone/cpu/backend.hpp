#pragma once

#include <string_view>

#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/cpu/activation.hpp"
#include "hone/cpu/adamw.hpp"
#include "hone/cpu/attention.hpp"
#include "hone/cpu/dropout.hpp"
#include "hone/cpu/embedding.hpp"
#include "hone/cpu/gradient_norm.hpp"
#include "hone/cpu/linear.hpp"
#include "hone/cpu/residual_norm.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/generic/backend.hpp"

namespace hone {

/// The processor: vector code and threads where there are kernels, generic/ where there are none.
template <class P = fp32>
struct Cpu {
  using Precision = P;
  using Context = HostContext;
  using Options = HostOptions;
  using Ladder = hone::Ladder<CpuRung, GenericRung>;
  static constexpr std::string_view name = "cpu";
};

static_assert(Backend<Cpu<fp32>> && Backend<Cpu<fp64>>);

}  // namespace hone
