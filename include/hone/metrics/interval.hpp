// Intervals, and Wilson's for a share.
#pragma once

#include <algorithm>
#include <cmath>

#include "hone/core/config.hpp"
#include "hone/core/matrix.hpp"

namespace hone {

/// An interval of numbers, both ends included.
struct Interval {
  double low = 0, high = 0;
};

/// The 95 % interval of a share of which `right` of `total` were counted (Wilson's score interval, z = 1.96):
///   (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),  p = right / n,  n = total
///
/// Unlike the textbook p +- z sqrt(p (1 - p) / n) it is right near 0 and 1 and for few examples. With no examples: 0 to 1.
/// Source: Wilson 1927, Journal of the American Statistical Association 22, 209-212.
Interval wilson_interval(Index right, Index total);

#if HONE_BODIES

HONE_INLINE Interval wilson_interval(Index right, Index total) {
  constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  if (total <= 0) return {0, 1};
  double const n = static_cast<double>(total), p = static_cast<double>(right) / n;
  double const middle = p + z * z / (2 * n), half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)),
               scale = 1 + z * z / n;
  return {right == 0 ? 0 : std::max(0.0, (middle - half) / scale),
          right == total ? 1 : std::min(1.0, (middle + half) / scale)};
}

#endif

}  // namespace hone
