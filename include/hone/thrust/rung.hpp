#pragma once

#include <string_view>

#include "hone/core/backend.hpp"

namespace hone {

/// A kernel made of Thrust algorithms, generic in the execution policy: it runs where `context.policy()` says, on the
/// device or on the host. Specialised by the headers of thrust/.
///
/// It takes raw pointers, leaves its results in the backend's memory and never waits for them; temporary memory comes from
/// the policy's allocator. Every sum has a fixed order, so that two runs give the same bits: no float is ever added by
/// reduce_by_key or by an atomic.
template <class Op>
struct ThrustKernel : NoKernel {};

namespace detail {

struct NoScope {};
/// The context's device is the current one while this lives; on the host there is nothing to choose.
template <class Context>
auto device_scope(Context& context) {
  if constexpr (requires { context.device_scope(); })
    return context.device_scope();
  else
    return NoScope{};
}

/// Thrust launches on the current device: that of the context, while a kernel runs.
template <class Op>
struct ThrustKernelOnDevice : ThrustKernel<Op> {
  template <class Context>
  static void run(Context& context, Op const& op) {
    [[maybe_unused]] auto const scope = device_scope(context);
    ThrustKernel<Op>::run(context, op);
  }
};

}  // namespace detail

/// Reductions, transforms, sorts and segmented sums. What is no fit falls through: products and attention (a kernel of
/// their own or generic/), losses and the clipping factor (one functor a row, as in generic/).
struct ThrustRung {
  static constexpr std::string_view name = "thrust";
  template <class Op>
  using Kernel = detail::ThrustKernelOnDevice<Op>;
};

}  // namespace hone
