#pragma once

#include <string_view>

#include "hone/core/bfloat16.hpp"

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

/// Activations and a working copy of the weights in bfloat16; master weights, their gradients and moments, statistics and
/// every sum in float. Source: Micikevicius et al. 2018, arXiv:1710.03740, section 3.1, with bfloat16 (Kalamkar et al. 2019,
/// arXiv:1905.12322), whose range needs no loss scaling.
struct mixed {
  using Activation = bfloat16;
  using Statistic = float;
  using Master = float;
  static constexpr std::string_view name = "mixed";
};

}  // namespace hone
