// What ROC and precision-recall curves are drawn from: counts above every score.
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/metrics/checks.hpp"

namespace hone::detail {

/// Examples whose score is at least `threshold`: how many of them are of class 1 and of class 0.
struct RankedCount {
  double threshold = 0, positive = 0, negative = 0;
};

/// One entry for each different score, the highest first: equal scores stand or fall together. Empty when a score is NaN
/// or there are no examples. Throws E602, E603.
std::vector<RankedCount> ranked_counts(std::span<double const> truth, std::span<double const> score);

/// Column k of a table of N rows and K columns, and 1 where the truth is k.
std::pair<std::vector<double>, std::vector<double>> one_against_rest(std::span<double const> truth,
                                                                     std::span<double const> probabilities, Index classes,
                                                                     Index k);

#if HONE_BODIES

HONE_INLINE std::vector<RankedCount> ranked_counts(std::span<double const> truth, std::span<double const> score) {
  require_same_size(score.size(), truth.size());
  require_binary(truth);
  if (any_nan(score)) return {};
  std::vector<std::pair<double, double>> examples;
  examples.reserve(truth.size());
  for (std::size_t i = 0; i < truth.size(); ++i) examples.emplace_back(score[i], truth[i]);
  std::sort(examples.begin(), examples.end(), [](auto const& a, auto const& b) { return a.first > b.first; });
  std::vector<RankedCount> counts;
  double positive = 0, negative = 0;
  for (auto const& [value, label] : examples) {
    (label == 1 ? positive : negative) += 1;
    if (counts.empty() || counts.back().threshold != value) counts.push_back({value, 0, 0});
    counts.back().positive = positive;
    counts.back().negative = negative;
  }
  return counts;
}

HONE_INLINE std::pair<std::vector<double>, std::vector<double>> one_against_rest(std::span<double const> truth,
                                                                                 std::span<double const> probabilities,
                                                                                 Index classes, Index k) {
  std::pair<std::vector<double>, std::vector<double>> both;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    both.first.push_back(class_of(truth[i], classes) == k ? 1 : 0);
    both.second.push_back(probabilities[i * static_cast<std::size_t>(classes) + static_cast<std::size_t>(k)]);
  }
  return both;
}

#endif

}  // namespace hone::detail
