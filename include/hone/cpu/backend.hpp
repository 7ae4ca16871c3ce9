#pragma once

#include <string_view>
#include <type_traits>

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

/// The processor: vector code and threads where there are kernels, generic/ where there are none (all of `mixed`).
template <class P = fp32>
struct Cpu {
  using Precision = P;
  using Context = HostContext;
  using Options = HostOptions;
  using Ladder = std::conditional_t<std::is_floating_point_v<typename P::Activation>, hone::Ladder<CpuRung, GenericRung>,
                                    hone::Ladder<GenericRung>>;
  static constexpr std::string_view name = "cpu";
};

static_assert(Backend<Cpu<fp32>> && Backend<Cpu<fp64>>);

}  // namespace hone
