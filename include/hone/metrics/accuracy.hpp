// The share of right predictions.
#pragma once

#include <cmath>
#include <span>

#include "hone/metrics/checks.hpp"

namespace hone {

/// The share of examples whose prediction equals the truth; NaN with no examples. A prediction that is NaN is wrong.
/// Shapes: truth (N), predicted (N). Throws E602 when they are not equally many. For its interval: wilson_interval.
inline double accuracy(std::span<double const> truth, std::span<double const> predicted) {
  detail::require_same_size(predicted.size(), truth.size());
  double right = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) right += truth[i] == predicted[i] ? 1 : 0;
  return truth.empty() ? std::nan("") : right / static_cast<double>(truth.size());
}

}  // namespace hone
