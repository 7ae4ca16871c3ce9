#pragma once

#include <string_view>

#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/generic/activation.hpp"
#include "hone/generic/adamw.hpp"
#include "hone/generic/attention.hpp"
#include "hone/generic/dropout.hpp"
#include "hone/generic/embedding.hpp"
#include "hone/generic/gradient_norm.hpp"
#include "hone/generic/linear.hpp"
#include "hone/generic/linear_activation.hpp"
#include "hone/generic/linear_residual.hpp"
#include "hone/generic/loss.hpp"
#include "hone/generic/residual_norm.hpp"
#include "hone/generic/rows.hpp"
#include "hone/generic/rung.hpp"

namespace hone {

/// generic/ alone, on the host: what every other backend is checked against.
template <class P = fp64>
struct Reference {
  using Precision = P;
  using Context = HostContext;
  using Options = HostOptions;
  using Ladder = hone::Ladder<GenericRung>;
  static constexpr std::string_view name = "reference";
};

static_assert(Backend<Reference<fp64>>);

}  // namespace hone
