// Matthews' correlation of predicted and true classes.
#pragma once

#include <cmath>
#include <map>
#include <span>

#include "hone/core/config.hpp"
#include "hone/metrics/checks.hpp"
#include "hone/metrics/confusion.hpp"

namespace hone {

namespace detail {

/// From sums over classes k with t_k examples and p_k predictions: of p_k t_k, of p_k^2 and of t_k^2.
double matthews(double right, double total, double both, double predicted, double truth);

#if HONE_BODIES

HONE_INLINE double matthews(double right, double total, double both, double predicted, double truth) {
  double const spread = (total * total - predicted) * (total * total - truth);
  if (total == 0) return std::nan("");
  return spread > 0 ? (right * total - both) / std::sqrt(spread) : 0.0;
}

#endif

}  // namespace detail

/// Matthews' correlation coefficient for any number of classes:
///   (c n - sum_k p_k t_k) / sqrt((n^2 - sum_k p_k^2) (n^2 - sum_k t_k^2))
/// with c right of n, and t_k examples and p_k predictions of class k. 1: all right, 0: no better than chance, down to -1.
/// Unlike the accuracy it does not profit from a common class. 0 when truth or prediction is all one class (the limit that
/// scikit-learn takes too); NaN with no examples.
/// Source: Gorodkin 2004, Computational Biology and Chemistry 28, 367-374.
double mcc(ConfusionTable const& table);
/// The same from classes named by any numbers; NaN when one is NaN. Shapes: truth (N), predicted (N). Throws E602 when they
/// are not equally many.
double mcc(std::span<double const> truth, std::span<double const> predicted);

#if HONE_BODIES

HONE_INLINE double mcc(ConfusionTable const& table) {
  double both = 0, predicted = 0, truth = 0;
  for (Index k = 0; k < table.classes; ++k) {
    double const t = static_cast<double>(table.of_class(k)), p = static_cast<double>(table.predicted_as(k));
    both += p * t;
    predicted += p * p;
    truth += t * t;
  }
  return detail::matthews(static_cast<double>(table.right()), static_cast<double>(table.total()), both, predicted, truth);
}

HONE_INLINE double mcc(std::span<double const> truth, std::span<double const> predicted) {
  detail::require_same_size(predicted.size(), truth.size());
  if (detail::any_nan(truth) || detail::any_nan(predicted)) return std::nan("");
  struct Counts {
    double truth = 0, predicted = 0;
  };
  std::map<double, Counts> classes;
  double right = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    classes[truth[i]].truth += 1;
    classes[predicted[i]].predicted += 1;
    right += truth[i] == predicted[i] ? 1 : 0;
  }
  double both = 0, p = 0, t = 0;
  for (auto const& [name, counts] : classes) {
    both += counts.predicted * counts.truth;
    p += counts.predicted * counts.predicted;
    t += counts.truth * counts.truth;
  }
  return detail::matthews(right, static_cast<double>(truth.size()), both, p, t);
}

#endif

}  // namespace hone
