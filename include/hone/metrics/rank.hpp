// Do predictions order the examples as the truth does?
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/metrics/checks.hpp"

namespace hone {

/// The rank of each value, from 1; equal values share the mean of their ranks. Shapes: values (N), result (N). Values that
/// are NaN have rank NaN (and the others are ranked among themselves).
std::vector<double> average_ranks(std::span<double const> values);

/// Pearson's correlation: cov(a, b) / (spread of a x spread of b); NaN when either is constant, with fewer than two values
/// or a NaN among them. Throws E602 when they are not equally many.
double pearson(std::span<double const> a, std::span<double const> b);

/// Spearman's rank correlation: Pearson's correlation of the average ranks. NaN as pearson. Throws E602.
/// Source: Spearman 1904, American Journal of Psychology 15, 72-101; ties as in scipy.stats.spearmanr.
double spearman(std::span<double const> truth, std::span<double const> predicted);

#if HONE_BODIES

HONE_INLINE std::vector<double> average_ranks(std::span<double const> values) {
  std::vector<double> ranks(values.size(), std::nan(""));
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isnan(values[i])) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
    begin = end;
  }
  return ranks;
}

HONE_INLINE double pearson(std::span<double const> a, std::span<double const> b) {
  detail::require_same_size(b.size(), a.size());
  auto const constant = [](std::span<double const> values) {  // by comparison: its mean may be off by a rounding error
    return std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
  };
  if (constant(a) || constant(b)) return std::nan("");
  double const n = static_cast<double>(a.size());
  double const mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n, mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double const da = a[i] - mean_a, db = b[i] - mean_b;
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  if (!(aa > 0) || !(bb > 0)) return std::nan("");
  double const r = ab / (std::sqrt(aa) * std::sqrt(bb));
  return std::isnan(r) ? r : std::clamp(r, -1.0, 1.0);
}

HONE_INLINE double spearman(std::span<double const> truth, std::span<double const> predicted) {
  detail::require_same_size(predicted.size(), truth.size());
  return pearson(average_ranks(truth), average_ranks(predicted));
}

#endif

}  // namespace hone
