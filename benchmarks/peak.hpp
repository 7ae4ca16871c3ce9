// What a core can do at this moment, and how benchmarks report their share of it.
//
// Rates are given by the clock on the wall and by processor seconds: on a machine that others use too only the second
// says something about the code.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <string>
#include <vector>

#include "hone/core/host_context.hpp"
#include "hone/core/philox.hpp"
#include "hone/cpu/backend.hpp"
#include "hone/generic/backend.hpp"

namespace hone::bench {

/// Processor seconds that all threads of this process have used.
inline double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// Processor seconds of one of `times` calls: the median.
template <class Work>
double typical_seconds(int times, Work const& work) {
  std::vector<double> seconds;
  for (int i = 0; i < times; ++i) {
    double const start = processor_seconds();
    work();
    seconds.push_back(processor_seconds() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

/// Floating-point operations a second of one core: multiply-adds on registers alone, in all threads at once.
inline double peak_flops(HostContext& context) {
  constexpr int chains = detail::many_registers ? 24 : 12, turns = 200000;
  std::vector<float> results(static_cast<std::size_t>(context.threads()));
  double const seconds = typical_seconds(5, [&] {
    context.pool().parallel_for(context.threads(), 1, [&](Index begin, Index) {
      float factor = 1e-9f;
      benchmark::DoNotOptimize(factor);
      detail::Vec<float> sums[chains];
      for (auto& sum : sums) sum = detail::splat(1.0f);
      detail::Vec<float> const by = detail::splat(factor);
      for (int turn = 0; turn < turns; ++turn) HONE_UNROLL for (int i = 0; i < chains; ++i) sums[i] += by * sums[i];
      for (int i = 1; i < chains; ++i) sums[0] += sums[i];
      results[static_cast<std::size_t>(begin)] = detail::sum<float>(sums[0]);
    });
  });
  benchmark::DoNotOptimize(results.data());
  return 2.0 * turns * chains * detail::lanes<float> * context.threads() / seconds;
}

/// Bytes a second, read and written, of one core: a copy of 64 MiB by all threads at once.
inline double peak_bytes(HostContext& context) {
  Index const size = Index{1} << 24;
  std::vector<float> from(static_cast<std::size_t>(size), 1), to(static_cast<std::size_t>(size));
  double const seconds = typical_seconds(5, [&] {
    context.pool().parallel_for(size, 1 << 16, [&](Index begin, Index end) {
      std::copy(from.data() + begin, from.data() + end, to.data() + begin);
    });
  });
  return 2.0 * static_cast<double>(size) * sizeof(float) / seconds;
}

/// Times `work`, which does `amount` operations (or moves so many bytes) a call; `peak` is what a core can do a second.
template <class Work>
void measure(benchmark::State& state, std::string const& unit, double amount, double peak, Work const& work) {
  double const start = processor_seconds();
  for (auto _ : state) work();
  double const total = amount * static_cast<double>(state.iterations()), rate = total / (processor_seconds() - start);
  state.counters[unit + "/s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.counters[unit + "/s/core"] = rate;
  state.counters["share_of_peak"] = rate / peak;
}

/// Uniform values in (-1, 1).
inline std::vector<float> random_values(Index count, std::uint64_t seed) {
  PhiloxStream stream(seed, 5);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(2 * stream.uniform() - 1);
  return values;
}

/// The largest difference between two results, relative to the largest value.
inline double difference(std::vector<float> const& a, std::vector<float> const& b) {
  double worst = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double const d = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    worst = std::isnan(d) ? HUGE_VAL : std::max(worst, d);
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return worst / scale;
}

/// Ends the benchmark with an error where a result is not the reference's. @return whether it is.
inline bool agrees(benchmark::State& state, std::vector<float> const& got, std::vector<float> const& expected) {
  if (difference(got, expected) < 1e-4) return true;
  state.SkipWithError("the result is not the reference's");
  return false;
}

/// Lengths of a batch of 16 IMDB reviews: quantiles, cut at 512 tokens (mean 271).
inline std::vector<Index> const review_lengths = {71,  118, 142, 158, 169, 179, 192, 209,
                                                  231, 260, 298, 348, 421, 512, 512, 512};

}  // namespace hone::bench
