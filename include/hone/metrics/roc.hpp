// The receiver operating characteristic: how many of class 1 are found for how many false alarms.
#pragma once

#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/metrics/ranked_counts.hpp"

namespace hone {

/// Points of the curve from (0, 0) to (1, 1), of equal length. Point i: examples with score >= threshold[i] are called 1.
struct RocCurve {
  std::vector<double> false_positive_rate{}, true_positive_rate{};
  std::vector<double> threshold{};  ///< falling; the first is infinite
};

/// The curve, as scikit-learn's roc_curve draws it: examples of equal score are one step, points on a straight line between
/// others are left out. Shapes: truth (N) of 0 and 1, score (N), the higher the more like class 1.
///
/// A rate without examples of its class is NaN; the curve is empty with no examples or when a score is NaN.
/// Errors: E602 not equally many, E603 a label is neither 0 nor 1.
/// @param all  keep the points on straight lines
RocCurve roc_curve(std::span<double const> truth, std::span<double const> score, bool all = false);

/// The area under the curve: the probability that an example of class 1 has a higher score than one of class 0, where equal
/// scores count one half. 0.5: chance. NaN when one class is missing or a score is NaN.
/// Source: Hanley and McNeil 1982, Radiology 143, 29-36. Shapes and errors: as roc_curve.
double roc_auc(std::span<double const> truth, std::span<double const> score);

/// The mean over classes of each class against the rest (scikit-learn: multi_class="ovr", average="macro"); NaN when a
/// class has no examples. Shapes: truth (N) of classes 0 to K - 1, probabilities (N, K). Errors: E602, E604.
double roc_auc(std::span<double const> truth, std::span<double const> probabilities, Index classes);

#if HONE_BODIES

HONE_INLINE RocCurve roc_curve(std::span<double const> truth, std::span<double const> score, bool all) {
  auto const counts = detail::ranked_counts(truth, score);
  RocCurve curve;
  if (counts.empty()) return curve;
  double const positives = counts.back().positive, negatives = counts.back().negative;
  auto const add = [&](double threshold, double positive, double negative) {
    curve.threshold.push_back(threshold);
    curve.true_positive_rate.push_back(positive / positives);  // 0 / 0: NaN
    curve.false_positive_rate.push_back(negative / negatives);
  };
  add(std::numeric_limits<double>::infinity(), 0, 0);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    bool const end = i == 0 || i + 1 == counts.size();
    if (!end && !all && counts[i + 1].positive - counts[i].positive == counts[i].positive - counts[i - 1].positive &&
        counts[i + 1].negative - counts[i].negative == counts[i].negative - counts[i - 1].negative)
      continue;
    add(counts[i].threshold, counts[i].positive, counts[i].negative);
  }
  return curve;
}

HONE_INLINE double roc_auc(std::span<double const> truth, std::span<double const> score) {
  auto const counts = detail::ranked_counts(truth, score);
  if (counts.empty()) return std::nan("");
  double area = 0, positive = 0, negative = 0;  // whole and half numbers: exact
  for (auto const& count : counts) {
    area += (count.negative - negative) * (count.positive + positive) / 2;
    positive = count.positive;
    negative = count.negative;
  }
  return area / (positive * negative);  // 0 / 0: NaN
}

HONE_INLINE double roc_auc(std::span<double const> truth, std::span<double const> probabilities, Index classes) {
  detail::require_probabilities(truth, probabilities, classes);
  double sum = 0;
  for (Index k = 0; k < classes; ++k) {
    auto const [is_k, score] = detail::one_against_rest(truth, probabilities, classes, k);
    sum += roc_auc(is_k, score);
  }
  return sum / static_cast<double>(classes);
}

#endif

}  // namespace hone
