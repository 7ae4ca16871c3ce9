// Agreement of ratings beyond chance.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/metrics/checks.hpp"

namespace hone {

/// Cohen's kappa with quadratic weights, for ratings that are whole numbers from `low` to `high` (stars):
///   1 - sum_i (t_i - p_i)^2 / (1/n sum_i sum_j (t_i - p_j)^2)
/// where t is the truth and p the prediction rounded (halves away from zero) and clamped to low..high. 1: the same ratings,
/// 0: no better than the same ratings dealt at random. NaN with no examples, a NaN among the predictions, or when both are
/// constant and the same. It is scikit-learn's cohen_kappa_score(weights="quadratic") with labels low to high.
/// Source: Cohen 1968, Psychological Bulletin 70, 213-220.
///
/// Shapes: truth (N), predicted (N). Errors: E602 not equally many, E606 a label is not a whole number from low to high.
double quadratic_kappa(std::span<double const> truth, std::span<double const> predicted, double low, double high);
/// The same with the range from the smallest to the largest label.
double quadratic_kappa(std::span<double const> truth, std::span<double const> predicted);

#if HONE_BODIES

HONE_INLINE double quadratic_kappa(std::span<double const> truth, std::span<double const> predicted, double low,
                                   double high) {
  detail::require_same_size(predicted.size(), truth.size());
  double apart = 0, t_sum = 0, p_sum = 0, squares = 0;  // whole numbers: exact
  for (std::size_t i = 0; i < truth.size(); ++i) {
    double const t = truth[i];
    if (!(t >= low && t <= high) || t != std::floor(t))
      throw Error(606, "a rating is not one of the whole numbers that are allowed",
                  {.value = std::to_string(t) + " of example " + std::to_string(i),
                   .allowed = std::to_string(low) + " to " + std::to_string(high)},
                  "pass the range of the ratings; for other numbers use spearman or mean_absolute_error");
    if (std::isnan(predicted[i])) return std::nan("");
    double const p = std::clamp(std::round(predicted[i]), low, high);
    apart += (t - p) * (t - p);
    t_sum += t;
    p_sum += p;
    squares += t * t + p * p;
  }
  double const n = static_cast<double>(truth.size()), by_chance = squares - 2 * t_sum * p_sum / n;
  return by_chance > 0 ? 1 - apart / by_chance : std::nan("");
}

HONE_INLINE double quadratic_kappa(std::span<double const> truth, std::span<double const> predicted) {
  detail::require_same_size(predicted.size(), truth.size());
  if (truth.empty()) return std::nan("");
  auto const [low, high] = std::minmax_element(truth.begin(), truth.end());
  return quadratic_kappa(truth, predicted, *low, *high);
}

#endif

}  // namespace hone
