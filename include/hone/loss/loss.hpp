#pragma once

#include <concepts>

#include "hone/core/backend.hpp"

namespace hone {

/// A loss of one example: `row(output, width, label, doutput)` returns the loss and, when doutput is not null, writes its
/// gradient with respect to the K outputs. Runs on host and device.
template <class L>
concept Loss = requires(double const* output, Index width, typename L::Label label, double* doutput) {
  typename L::Label;
  { L::template row<double>(output, width, label, doutput) } -> std::same_as<double>;
  { L::name } -> std::convertible_to<char const*>;
};

}  // namespace hone
