// Precision, recall and F1: of one class, and averaged over classes.
#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/metrics/checks.hpp"
#include "hone/metrics/confusion.hpp"

namespace hone {

/// Measures of one class, or a mean of them:
///   precision = right / predicted as the class,  recall = right / of the class,  F1 = 2 precision recall / (precision +
///   recall)
/// 0 / 0 counts as 0, as in scikit-learn (zero_division). NaN: there are no examples.
struct ClassMeasures {
  double precision = std::nan(""), recall = std::nan(""), f1 = std::nan("");
  Index support = 0;  ///< examples that are of the class
};

/// How measures of classes become one number.
enum class Average {
  macro,     ///< mean over the classes that occur in truth or prediction
  micro,     ///< of all decisions together: with one class an example, the accuracy
  weighted,  ///< mean weighted by the number of examples of the class
};

namespace detail {

ClassMeasures class_measures(Index right, Index predicted, Index support);

#if HONE_BODIES

HONE_INLINE ClassMeasures class_measures(Index right, Index predicted, Index support) {
  auto const share = [](Index part, Index whole) {
    return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
  };
  return {share(right, predicted), share(right, support), share(2 * right, predicted + support), support};
}

#endif

}  // namespace detail

/// The measures of class k. Throws E602 when the table has no such class.
ClassMeasures class_measures(ConfusionTable const& table, Index k);

/// Measures averaged over classes. Source: scikit-learn, precision_recall_fscore_support.
ClassMeasures average_measures(ConfusionTable const& table, Average average);

/// The measures of class 1 of two. Shapes: truth (N), predicted (N), each 0 or 1 (else E603; E602 when not equally many).
ClassMeasures binary_measures(std::span<double const> truth, std::span<double const> predicted);
/// Precision of class 1 of two; see binary_measures.
inline double precision(std::span<double const> truth, std::span<double const> predicted) {
  return binary_measures(truth, predicted).precision;
}
/// Recall of class 1 of two; see binary_measures.
inline double recall(std::span<double const> truth, std::span<double const> predicted) {
  return binary_measures(truth, predicted).recall;
}
/// F1 of class 1 of two; see binary_measures.
inline double f1(std::span<double const> truth, std::span<double const> predicted) {
  return binary_measures(truth, predicted).f1;
}

#if HONE_BODIES

HONE_INLINE ClassMeasures average_measures(ConfusionTable const& table, Average average) {
  Index const total = table.total();
  if (total == 0) return {};
  if (average == Average::micro) return detail::class_measures(table.right(), total, total);
  ClassMeasures mean{0, 0, 0, total};
  double weights = 0;
  for (Index k = 0; k < table.classes; ++k) {
    Index const predicted = table.predicted_as(k), support = table.of_class(k);
    if (predicted + support == 0) continue;
    double const weight = average == Average::macro ? 1.0 : static_cast<double>(support);
    auto const one = detail::class_measures(table(k, k), predicted, support);
    mean.precision += weight * one.precision;
    mean.recall += weight * one.recall;
    mean.f1 += weight * one.f1;
    weights += weight;
  }
  mean.precision /= weights;
  mean.recall /= weights;
  mean.f1 /= weights;
  return mean;
}

HONE_INLINE ClassMeasures binary_measures(std::span<double const> truth, std::span<double const> predicted) {
  detail::require_same_size(predicted.size(), truth.size());
  detail::require_binary(truth);
  detail::require_binary(predicted);
  if (truth.empty()) return {};
  Index right = 0, positive = 0, said = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    positive += truth[i] == 1 ? 1 : 0;
    said += predicted[i] == 1 ? 1 : 0;
    right += truth[i] == 1 && predicted[i] == 1 ? 1 : 0;
  }
  return detail::class_measures(right, said, positive);
}

HONE_INLINE ClassMeasures class_measures(ConfusionTable const& table, Index k) {
  detail::class_of(static_cast<double>(k), table.classes);
  if (table.total() == 0) return {};
  return detail::class_measures(table(k, k), table.predicted_as(k), table.of_class(k));
}

#endif

}  // namespace hone
