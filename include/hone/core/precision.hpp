#pragma once

#include <string_view>

namespace hone {

/// Number formats of a backend: activations and working weights, statistics (mean, rstd, log-sum-exp), and the master
/// copy of the parameters with their gradients and moments.
struct fp32 {
  using Activation = float;
  using Statistic = float;
  using Master = float;
  static constexpr std::string_view name = "fp32";
};

/// Double precision throughout: for gradient checks and parity proofs.
struct fp64 {
  using Activation = double;
  using Statistic = double;
  using Master = double;
  static constexpr std::string_view name = "fp64";
};

}  // namespace hone
