// Is one of two models right more often than the other, on the same examples?
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <string>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/metrics/checks.hpp"

namespace hone {

/// McNemar's test of two models. Only examples that one gets right and the other wrong say anything.
struct McNemar {
  Index only_first = 0, only_second = 0;  ///< examples that only this one gets right
  double statistic = 0;                   ///< chi-square with one degree of freedom; the smaller count when exact
  double p_value = 1;                     ///< two-sided, of the hypothesis that both are right equally often
  bool exact = true;                      ///< by the binomial distribution
};

/// From the two counts b and c: with fewer than 25 such examples by the binomial distribution,
///   p = min(1, 2 sum_{i <= min(b, c)} (b + c choose i) / 2^(b + c)),
/// else by chi-square with continuity correction, max(0, |b - c| - 1)^2 / (b + c). With none: p = 1.
/// Source: McNemar 1947, Psychometrika 12, 153-157; Edwards 1948, Psychometrika 13, 185-187 (correction).
/// Throws E602 for a negative count.
McNemar mcnemar(Index only_first, Index only_second);
/// From the labels and what both models said. Shapes: all (N). Throws E602 when they are not equally many.
McNemar mcnemar(std::span<double const> truth, std::span<double const> first, std::span<double const> second);

#if HONE_BODIES

HONE_INLINE McNemar mcnemar(Index only_first, Index only_second) {
  if (only_first < 0 || only_second < 0)
    throw Error(602, "a count is negative", {.value = std::to_string(std::min(only_first, only_second))},
                "count the examples that only one of the two gets right");
  McNemar test{only_first, only_second};
  Index const total = only_first + only_second, fewer = std::min(only_first, only_second);
  if (total < 25) {
    double sum = 0, term = std::ldexp(1.0, -static_cast<int>(total));  // (total choose i) / 2^total: exact
    for (Index i = 0; i <= fewer; ++i) {
      sum += term;
      term = term * static_cast<double>(total - i) / static_cast<double>(i + 1);
    }
    test.statistic = static_cast<double>(fewer);
    test.p_value = std::min(1.0, 2 * sum);
  } else {
    test.exact = false;
    double const apart = std::max(0.0, std::abs(static_cast<double>(only_first - only_second)) - 1);
    test.statistic = apart * apart / static_cast<double>(total);
    test.p_value = std::erfc(std::sqrt(test.statistic / 2));
  }
  return test;
}

HONE_INLINE McNemar mcnemar(std::span<double const> truth, std::span<double const> first, std::span<double const> second) {
  detail::require_same_size(first.size(), truth.size());
  detail::require_same_size(second.size(), truth.size());
  Index only_first = 0, only_second = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    bool const a = first[i] == truth[i], b = second[i] == truth[i];
    only_first += a && !b ? 1 : 0;
    only_second += b && !a ? 1 : 0;
  }
  return mcnemar(only_first, only_second);
}

#endif

}  // namespace hone
