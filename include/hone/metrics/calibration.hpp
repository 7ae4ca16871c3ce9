// Is a model that is 90 % sure right nine times of ten?
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/metrics/checks.hpp"

namespace hone {

/// Examples of similar confidence: those with low < confidence <= high (the first bin: 0 too).
struct CalibrationBin {
  double low = 0, high = 0;
  Index count = 0;
  double confidence = std::nan("");  ///< mean over the bin's examples; NaN when there is none
  double accuracy = std::nan("");    ///< share of right ones among them
};

/// Examples sorted by the probability of the class that was predicted (the most probable one, of equals the first) into bins
/// of equal width. Shapes: truth (N) of classes 0 to K - 1, probabilities (N, K), result (bins). An example with NaN is in
/// no bin. Errors: E602 sizes or classes, E604 not probabilities, E605 no bins or more than a million.
std::vector<CalibrationBin> calibration_bins(std::span<double const> truth, std::span<double const> probabilities,
                                             Index classes, Index bins = 15);

/// The expected calibration error: sum over bins of (share of the examples) x |accuracy - mean confidence|. 0: as sure as it
/// is right. It depends on the bins; 15 of equal width are usual. NaN with no examples.
/// Source: Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks", equation 3.
double expected_calibration_error(std::span<CalibrationBin const> bins);
/// The same from labels and probabilities; NaN when a probability is NaN. Shapes and errors: as calibration_bins.
double expected_calibration_error(std::span<double const> truth, std::span<double const> probabilities, Index classes,
                                  Index bins = 15);

#if HONE_BODIES

HONE_INLINE std::vector<CalibrationBin> calibration_bins(std::span<double const> truth,
                                                         std::span<double const> probabilities, Index classes, Index bins) {
  detail::require_probabilities(truth, probabilities, classes);
  if (bins < 1 || bins > 1000000)
    throw Error(605, "a number of bins is out of range", {.value = std::to_string(bins), .allowed = "1 to 1000000"},
                "choose about 15");
  std::vector<CalibrationBin> result(static_cast<std::size_t>(bins));
  std::vector<double> edges;  // upper ones
  for (Index b = 0; b < bins; ++b) {
    auto& bin = result[static_cast<std::size_t>(b)];
    bin.low = static_cast<double>(b) / static_cast<double>(bins);
    bin.high = static_cast<double>(b + 1) / static_cast<double>(bins);
    edges.push_back(bin.high);
  }
  edges.back() = 2;  // a probability of 1 and a rounding error
  std::vector<double> confidence(result.size(), 0), right(result.size(), 0);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    auto const row = probabilities.subspan(i * static_cast<std::size_t>(classes), static_cast<std::size_t>(classes));
    Index const label = detail::class_of(truth[i], classes);
    if (detail::any_nan(row)) continue;
    auto const best = std::max_element(row.begin(), row.end());
    auto const b = static_cast<std::size_t>(std::lower_bound(edges.begin(), edges.end(), *best) - edges.begin());
    ++result[b].count;
    confidence[b] += *best;
    right[b] += best - row.begin() == label ? 1 : 0;
  }
  for (std::size_t b = 0; b < result.size(); ++b)
    if (result[b].count > 0) {
      result[b].confidence = confidence[b] / static_cast<double>(result[b].count);
      result[b].accuracy = right[b] / static_cast<double>(result[b].count);
    }
  return result;
}

HONE_INLINE double expected_calibration_error(std::span<CalibrationBin const> bins) {
  double count = 0, sum = 0;
  for (auto const& bin : bins) {
    if (bin.count == 0) continue;
    count += static_cast<double>(bin.count);
    sum += static_cast<double>(bin.count) * std::abs(bin.accuracy - bin.confidence);
  }
  return count > 0 ? sum / count : std::nan("");
}

HONE_INLINE double expected_calibration_error(std::span<double const> truth, std::span<double const> probabilities,
                                              Index classes, Index bins) {
  auto const table = calibration_bins(truth, probabilities, classes, bins);
  return detail::any_nan(probabilities) ? std::nan("") : expected_calibration_error(table);
}

#endif

}  // namespace hone
