#pragma once

#include <string_view>

#include "hone/core/backend.hpp"

namespace hone {

/// The reference kernel of an operation: plain loops over any scalar type, run as a host-and-device functor over a row, a
/// column or an element wherever the backend's memory is. Specialised by the headers of generic/.
template <class Op>
struct GenericKernel : NoKernel {};

/// The last rung of every ladder.
struct GenericRung {
  static constexpr std::string_view name = "generic";
  template <class Op>
  using Kernel = GenericKernel<Op>;
};

}  // namespace hone
