#pragma once

#include <string_view>

#include <thrust/system/cpp/execution_policy.h>

#include "hone/core/host_context.hpp"
#include "hone/core/precision.hpp"
#include "hone/generic/backend.hpp"
#include "hone/thrust/kernels.hpp"
#include "hone/thrust/temporary_memory.hpp"

namespace hone {

/// A host context with an execution policy for Thrust: its sequential C++ system, whatever THRUST_DEVICE_SYSTEM is.
class ThrustHostContext : public HostContext {
 public:
  explicit ThrustHostContext(HostOptions options = {}) : HostContext(options), temporary_(*this) {}

  /// Temporary memory of algorithms comes from temporary().
  auto policy() { return ::thrust::cpp::par(temporary_); }
  TemporaryMemory<HostContext> const& temporary() const { return temporary_; }
  /// Temporary memory that algorithms will ask for at most; kernel_scratch says how much that is.
  void reserve_scratch(std::size_t bytes) {
    if (bytes > temporary_.bytes()) temporary_.reserve(with_reserve(bytes));
  }

 private:
  TemporaryMemory<HostContext> temporary_;
};

/// The Thrust algorithms on the host, to prove them without a GPU; what they leave out is generic/. Needs Thrust's headers
/// (<toolkit>/include/cccl) and no CUDA compiler.
template <class P = fp64>
struct ThrustHost {
  using Precision = P;
  using Context = ThrustHostContext;
  using Options = HostOptions;
  using Ladder = hone::Ladder<ThrustRung, GenericRung>;
  static constexpr std::string_view name = "thrust_host";
};

static_assert(Backend<ThrustHost<fp64>>);

}  // namespace hone
