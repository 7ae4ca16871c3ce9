// Measures of probabilities: Brier's score, log loss; and how scores become probabilities.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/metrics/checks.hpp"

namespace hone {

/// softmax(o)_k = exp(o_k) / sum_j exp(o_j). Shapes: o (K), the scores of one example.
std::vector<double> softmax(std::span<double const> scores);

/// Brier's score of two classes: the mean of (p - truth)^2. 0: sure and right, 0.25: always 0.5. NaN with no examples or a
/// NaN among them. Shapes: truth (N) of 0 and 1, probability (N) of class 1. Errors: E602, E603, E604.
/// Source: Brier 1950, Monthly Weather Review 78, 1-3 (which sums over both classes: twice this).
double brier_score(std::span<double const> truth, std::span<double const> probability);
/// Brier's score of K classes: the mean over examples of sum_k (p_k - [truth is k])^2, from 0 to 2. Shapes: truth (N) of
/// classes 0 to K - 1, probabilities (N, K). Errors: E602, E604.
double brier_score(std::span<double const> truth, std::span<double const> probabilities, Index classes);

/// Log loss (cross entropy): the mean of -ln p of the true class, p not nearer to 0 or 1 than 2.2e-16, as in scikit-learn.
/// NaN with no examples or a NaN among them. Shapes: truth (N) of classes 0 to K - 1, probabilities (N, K).
/// Errors: E602, E604. Where scores are at hand, the cross entropy of the loss is more exact.
double log_loss(std::span<double const> truth, std::span<double const> probabilities, Index classes);

#if HONE_BODIES

HONE_INLINE std::vector<double> softmax(std::span<double const> scores) {
  std::vector<double> shares(scores.begin(), scores.end());
  double const highest = shares.empty() ? 0 : *std::max_element(shares.begin(), shares.end());
  double sum = 0;
  for (double& value : shares) sum += value = std::exp(value - highest);
  for (double& value : shares) value /= sum;
  return shares;
}

HONE_INLINE double brier_score(std::span<double const> truth, std::span<double const> probability) {
  detail::require_probabilities(truth, probability, 1);
  detail::require_binary(truth);
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) sum += (probability[i] - truth[i]) * (probability[i] - truth[i]);
  return truth.empty() ? std::nan("") : sum / static_cast<double>(truth.size());
}

HONE_INLINE double brier_score(std::span<double const> truth, std::span<double const> probabilities, Index classes) {
  detail::require_probabilities(truth, probabilities, classes);
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    Index const label = detail::class_of(truth[i], classes);
    for (Index k = 0; k < classes; ++k) {
      double const off = probabilities[i * std::size_t(classes) + std::size_t(k)] - (k == label ? 1 : 0);
      sum += off * off;
    }
  }
  return truth.empty() ? std::nan("") : sum / static_cast<double>(truth.size());
}

HONE_INLINE double log_loss(std::span<double const> truth, std::span<double const> probabilities, Index classes) {
  detail::require_probabilities(truth, probabilities, classes);
  constexpr double least = std::numeric_limits<double>::epsilon();
  double sum = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    double const p = probabilities[i * std::size_t(classes) + std::size_t(detail::class_of(truth[i], classes))];
    sum -= std::log(std::isnan(p) ? p : std::clamp(p, least, 1 - least));
  }
  return truth.empty() ? std::nan("") : sum / static_cast<double>(truth.size());
}

#endif

}  // namespace hone
