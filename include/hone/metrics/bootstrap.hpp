// Intervals of any measure by drawing the examples again and again.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/philox.hpp"
#include "hone/metrics/checks.hpp"
#include "hone/metrics/interval.hpp"

namespace hone {

/// How a bootstrap draws.
struct BootstrapOptions {
  Index resamples = 1000;  ///< how often as many examples as there are are drawn, with replacement
  double level = 0.95;     ///< of the interval
  std::uint64_t seed = 0;  ///< the same seed, the same interval
};

/// A difference of measures of two models on the same examples.
struct PairedDifference {
  double difference = std::nan("");               ///< second - first, over all examples
  Interval interval{std::nan(""), std::nan("")};  ///< of the difference
  double p_value = std::nan("");                  ///< two-sided, of the hypothesis that there is none
};

namespace detail {

/// Rows of one resample: uniform in 0 to count - 1 without bias (Lemire 2019, "Fast Random Integer Generation in an
/// Interval"). Resample r of a seed is always the same, whoever draws it.
class RowDrawer {
 public:
  RowDrawer(std::uint64_t seed, Index resample, Index count)
      : random_(seed, std::uint64_t{0xB0075742} << 32 | static_cast<std::uint64_t>(resample)),
        count_(static_cast<std::uint32_t>(count)),
        rejected_(count > 0 ? (0u - count_) % count_ : 0) {}

  std::size_t next() {
    for (;;) {
      std::uint64_t const product = std::uint64_t{random_.next()} * count_;
      if (static_cast<std::uint32_t>(product) >= rejected_) return static_cast<std::size_t>(product >> 32);
    }
  }

 private:
  PhiloxStream random_;
  std::uint32_t count_, rejected_;
};

void require_bootstrap(Index count, BootstrapOptions const& options);

/// The quantile of sorted values with straight lines between them (numpy's and R's default, type 7 of Hyndman and Fan).
double quantile(std::span<double const> sorted, double share);

/// The middle part of values, those that are NaN left out; NaN to NaN when none is left.
Interval percentile_interval(std::vector<double> values, double level);

/// The mean of values in every resample; empty with no values.
std::vector<double> resampled_means(std::span<double const> values, BootstrapOptions const& options);

#if HONE_BODIES

HONE_INLINE void require_bootstrap(Index count, BootstrapOptions const& options) {
  if (options.resamples < 1 || options.resamples > 10000000)
    throw Error(605, "a number of resamples is out of range",
                {.value = std::to_string(options.resamples), .allowed = "1 to 10000000"}, "choose 1000 or more");
  if (!(options.level > 0 && options.level < 1))
    throw Error(605, "the level of an interval is out of range",
                {.value = std::to_string(options.level), .allowed = "above 0 and below 1"}, "choose 0.95");
  if (count < 0 || count > Index{0xFFFFFFFF})
    throw Error(605, "a number of examples is out of range", {.value = std::to_string(count), .allowed = "0 to 4294967295"},
                "evaluate fewer examples at once");
}

HONE_INLINE double quantile(std::span<double const> sorted, double share) {
  double const at = share * static_cast<double>(sorted.size() - 1);
  auto const below = static_cast<std::size_t>(at);
  if (below + 1 >= sorted.size()) return sorted.back();
  return sorted[below] + (at - std::floor(at)) * (sorted[below + 1] - sorted[below]);
}

HONE_INLINE Interval percentile_interval(std::vector<double> values, double level) {
  values.erase(std::remove_if(values.begin(), values.end(), [](double value) { return std::isnan(value); }), values.end());
  if (values.empty()) return {std::nan(""), std::nan("")};
  std::sort(values.begin(), values.end());
  return {quantile(values, (1 - level) / 2), quantile(values, 1 - (1 - level) / 2)};
}

HONE_INLINE std::vector<double> resampled_means(std::span<double const> values, BootstrapOptions const& options) {
  auto const count = static_cast<Index>(values.size());
  require_bootstrap(count, options);
  std::vector<double> means;
  if (values.empty()) return means;
  means.reserve(static_cast<std::size_t>(options.resamples));
  for (Index r = 0; r < options.resamples; ++r) {
    RowDrawer rows(options.seed, r, count);
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += values[rows.next()];
    means.push_back(sum / static_cast<double>(count));
  }
  return means;
}

#endif

}  // namespace detail

/// The percentile interval of any measure: the examples are drawn again with replacement, the measure is taken of each such
/// set, and the middle `level` of the values is the interval. It knows of the chance in the choice of the test examples, not
/// of the chance in training. Values that are NaN (a set of one class) are left out; NaN to NaN with no examples.
/// Source: Efron 1979, Annals of Statistics 7, 1-26.
///
/// @param count   number of examples
/// @param metric  called with the positions of the examples drawn: double(std::span<Index const> rows)
/// Errors: E605 options out of range; what `metric` throws.
template <class Metric>
requires std::invocable<Metric const&, std::span<Index const>> Interval
bootstrap_interval(Index count, Metric const& metric, BootstrapOptions const& options = {}) {
  detail::require_bootstrap(count, options);
  std::vector<double> values;
  std::vector<Index> rows(static_cast<std::size_t>(count));
  for (Index r = 0; r < options.resamples && count > 0; ++r) {
    detail::RowDrawer drawer(options.seed, r, count);
    for (auto& row : rows) row = static_cast<Index>(drawer.next());
    values.push_back(metric(std::span<Index const>(rows)));
  }
  return detail::percentile_interval(std::move(values), options.level);
}
/// The same of a mean over examples (an error, a loss, right or wrong), without a table of rows; NaN to NaN when a value is
/// NaN. Shapes: values (N).
Interval bootstrap_interval(std::span<double const> values, BootstrapOptions const& options = {});

/// The difference of two means over the same examples (say, |error| of two models by review): its percentile interval, and
/// p = 2 min(share of resamples <= 0, share >= 0), each counted with one more, at most 1. Pairing takes out how hard each
/// example is, so that smaller differences show than by two intervals side by side.
/// Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapters 13 and 16.
///
/// Shapes: first (N), second (N). NaN with no examples or a NaN among them. Errors: E602 not equally many, E605.
PairedDifference paired_bootstrap(std::span<double const> first, std::span<double const> second,
                                  BootstrapOptions const& options = {});

#if HONE_BODIES

HONE_INLINE Interval bootstrap_interval(std::span<double const> values, BootstrapOptions const& options) {
  if (detail::any_nan(values)) return {std::nan(""), std::nan("")};
  return detail::percentile_interval(detail::resampled_means(values, options), options.level);
}

HONE_INLINE PairedDifference paired_bootstrap(std::span<double const> first, std::span<double const> second,
                                              BootstrapOptions const& options) {
  detail::require_same_size(second.size(), first.size());
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.size(); ++i) differences.push_back(second[i] - first[i]);
  auto const means = detail::resampled_means(differences, options);
  PairedDifference result;
  if (differences.empty() || detail::any_nan(differences)) return result;
  result.difference = std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(differences.size());
  double const below = static_cast<double>(std::count_if(means.begin(), means.end(), [](double d) { return d <= 0; })),
               above = static_cast<double>(std::count_if(means.begin(), means.end(), [](double d) { return d >= 0; }));
  result.p_value = std::min(1.0, 2 * (1 + std::min(below, above)) / (1 + static_cast<double>(means.size())));
  result.interval = detail::percentile_interval(means, options.level);
  return result;
}

#endif

}  // namespace hone
