// Several tests at once.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "hone/core/config.hpp"

namespace hone {

/// The p-values of m tests made larger so that "below 0.05" for any of them is wrong in at most 5 % of the cases, however
/// the tests depend on each other: the k-th smallest becomes min(1, max over j <= k of (m - j + 1) p_j). NaN stays and does
/// not count. Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
std::vector<double> holm_adjusted(std::span<double const> p_values);

#if HONE_BODIES

HONE_INLINE std::vector<double> holm_adjusted(std::span<double const> p_values) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p_values.size(); ++i)
    if (!std::isnan(p_values[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size(), std::nan(""));
  double largest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    largest = std::max(largest, static_cast<double>(order.size() - k) * p_values[order[k]]);
    adjusted[order[k]] = std::min(1.0, largest);
  }
  return adjusted;
}

#endif

}  // namespace hone
