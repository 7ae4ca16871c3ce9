// Precision against recall for every threshold, and the area under it.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/metrics/ranked_counts.hpp"

namespace hone {

/// Points of the curve. Point i: examples with score >= threshold[i] are called 1; a last point (precision 1, recall 0) has
/// no threshold, so precision and recall are one longer.
struct PrecisionRecallCurve {
  std::vector<double> precision{}, recall{};
  std::vector<double> threshold{};  ///< rising
};

/// The curve as scikit-learn's precision_recall_curve gives it, thresholds rising. Shapes: truth (N) of 0 and 1, score (N),
/// the higher the more like class 1.
///
/// Without examples of class 1 the recall is NaN; the curve is empty with no examples or when a score is NaN.
/// Errors: E602 not equally many, E603 a label is neither 0 nor 1.
PrecisionRecallCurve pr_curve(std::span<double const> truth, std::span<double const> score);

/// Average precision: the sum over the different scores, from the highest on, of (gain of recall) x (precision there). It is
/// the area under the curve as steps, without the optimism of straight lines between points; a scorer at chance gets the
/// share of class 1. Definition of scikit-learn's average_precision_score. NaN without examples of class 1 (scikit-learn
/// says 0 there) or when a score is NaN. Shapes and errors: as pr_curve.
double average_precision(std::span<double const> truth, std::span<double const> score);
/// The area under the precision-recall curve: the average precision.
inline double pr_auc(std::span<double const> truth, std::span<double const> score) {
  return average_precision(truth, score);
}

/// The mean over classes of each class against the rest; NaN when a class has no examples. Shapes: truth (N) of classes 0 to
/// K - 1, probabilities (N, K). Errors: E602, E604.
double pr_auc(std::span<double const> truth, std::span<double const> probabilities, Index classes);

#if HONE_BODIES

HONE_INLINE PrecisionRecallCurve pr_curve(std::span<double const> truth, std::span<double const> score) {
  auto const counts = detail::ranked_counts(truth, score);
  PrecisionRecallCurve curve;
  if (counts.empty()) return curve;
  for (auto count = counts.rbegin(); count != counts.rend(); ++count) {
    curve.threshold.push_back(count->threshold);
    curve.precision.push_back(count->positive / (count->positive + count->negative));
    curve.recall.push_back(count->positive / counts.back().positive);
  }
  curve.precision.push_back(1);
  curve.recall.push_back(0);
  return curve;
}

HONE_INLINE double average_precision(std::span<double const> truth, std::span<double const> score) {
  auto const counts = detail::ranked_counts(truth, score);
  if (counts.empty()) return std::nan("");
  double sum = 0, before = 0;
  for (auto const& count : counts) {
    sum += (count.positive - before) * count.positive / (count.positive + count.negative);
    before = count.positive;
  }
  return sum / before;  // 0 / 0: NaN
}

HONE_INLINE double pr_auc(std::span<double const> truth, std::span<double const> probabilities, Index classes) {
  detail::require_probabilities(truth, probabilities, classes);
  double sum = 0;
  for (Index k = 0; k < classes; ++k) {
    auto const [is_k, score] = detail::one_against_rest(truth, probabilities, classes, k);
    sum += average_precision(is_k, score);
  }
  return sum / static_cast<double>(classes);
}

#endif

}  // namespace hone
