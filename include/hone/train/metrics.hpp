// Measures of predictions against labels, in double, on the host.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/core/error.hpp"

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
inline Interval wilson_interval(Index right, Index total) {
  constexpr double z = 1.959963984540054;  // 97.5 % quantile of the normal distribution
  if (total <= 0) return {0, 1};
  double const n = static_cast<double>(total), p = static_cast<double>(right) / n;
  double const middle = p + z * z / (2 * n), half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n)),
               scale = 1 + z * z / n;
  return {right == 0 ? 0 : std::max(0.0, (middle - half) / scale),
          right == total ? 1 : std::min(1.0, (middle + half) / scale)};
}

/// How often each class was predicted for each true class. Shapes: counts (K, K), truth by row, prediction by column.
struct ConfusionTable {
  Index classes = 0;
  std::vector<Index> counts{};

  explicit ConfusionTable(Index k = 0) : classes(k), counts(static_cast<std::size_t>(k * k), 0) {}
  /// Counts one example. Throws E602 for a class that is not one of the table's.
  void add(Index truth, Index predicted) {
    if (truth < 0 || truth >= classes || predicted < 0 || predicted >= classes)
      throw Error(602, "a class is outside the table",
                  {.value = std::to_string(truth) + " predicted as " + std::to_string(predicted),
                   .allowed = "0 to " + std::to_string(classes - 1)},
                  "make the table with as many classes as the head has");
    ++counts[static_cast<std::size_t>(truth * classes + predicted)];
  }
  Index operator()(Index truth, Index predicted) const {
    return counts[static_cast<std::size_t>(truth * classes + predicted)];
  }
  Index total() const {
    Index sum = 0;
    for (Index const count : counts) sum += count;
    return sum;
  }
  Index right() const {
    Index sum = 0;
    for (Index k = 0; k < classes; ++k) sum += (*this)(k, k);
    return sum;
  }
  /// The share of right predictions; NaN with no examples.
  double accuracy() const {
    return total() > 0 ? static_cast<double>(right()) / static_cast<double>(total()) : std::nan("");
  }
};

/// The mean of |predicted - truth|; NaN with no examples. Throws E602 when they are not equally many.
inline double mean_absolute_error(std::span<double const> predicted, std::span<double const> truth) {
  if (predicted.size() != truth.size())
    throw Error(602, "there is not one prediction for each label",
                {.value = std::to_string(predicted.size()), .allowed = std::to_string(truth.size())},
                "pass as many of both");
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += std::abs(predicted[i] - truth[i]);
  return truth.empty() ? std::nan("") : sum / static_cast<double>(truth.size());
}

/// softmax(o)_k = exp(o_k) / sum_j exp(o_j). Shapes: o (K), the scores of one example.
inline std::vector<double> softmax(std::span<double const> scores) {
  std::vector<double> shares(scores.begin(), scores.end());
  double const highest = shares.empty() ? 0 : *std::max_element(shares.begin(), shares.end());
  double sum = 0;
  for (double& value : shares) sum += value = std::exp(value - highest);
  for (double& value : shares) value /= sum;
  return shares;
}

}  // namespace hone
