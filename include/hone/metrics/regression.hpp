// Errors of predicted numbers.
#pragma once

#include <cmath>
#include <span>

#include "hone/core/config.hpp"
#include "hone/metrics/checks.hpp"

namespace hone {

/// The mean of |predicted - truth|; NaN with no examples. Throws E602 when they are not equally many.
double mean_absolute_error(std::span<double const> truth, std::span<double const> predicted);

/// The root of the mean of (predicted - truth)^2: large errors weigh more than in the mean absolute error; NaN with no
/// examples. Throws E602 when they are not equally many.
double root_mean_square_error(std::span<double const> truth, std::span<double const> predicted);

#if HONE_BODIES

HONE_INLINE double mean_absolute_error(std::span<double const> truth, std::span<double const> predicted) {
  detail::require_same_size(predicted.size(), truth.size());
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += std::abs(predicted[i] - truth[i]);
  return truth.empty() ? std::nan("") : sum / static_cast<double>(truth.size());
}

HONE_INLINE double root_mean_square_error(std::span<double const> truth, std::span<double const> predicted) {
  detail::require_same_size(predicted.size(), truth.size());
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += (predicted[i] - truth[i]) * (predicted[i] - truth[i]);
  return truth.empty() ? std::nan("") : std::sqrt(sum / static_cast<double>(truth.size()));
}

#endif

}  // namespace hone
