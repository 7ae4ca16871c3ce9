// What a core can do at this moment, and how benchmarks report their share of it.
//
// Rates are given by the clock on the wall and by processor seconds: on a machine that others use too only the second
// says something about the code.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <string>
#include <type_traits>
#include <vector>

#include "hone/core/host_context.hpp"
#include "hone/core/philox.hpp"
#include "hone/core/precision.hpp"
#include "hone/cpu/backend.hpp"
#include "hone/cpu/bfloat16_dots.hpp"
#include "hone/cpu/simd_tiles.hpp"
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

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors stay within functions of one target
#endif
/// Seconds by the clock on the wall of the fastest of five calls.
template <class Work>
double best_seconds(Work const& work) {
  double best = HUGE_VAL;
  for (int i = 0; i < 5; ++i) {
    auto const start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

/// Chains of multiply-adds on registers alone, for one instruction set. The factor is volatile, so that it is not known when
/// this is compiled; what g++ makes of benchmark::DoNotOptimize (release 1.7) leaves any number in its place, denormal ones
/// among them.
#define HONE_PEAK_CHAINS(SET, CHAINS, ...)                                                                                \
  __VA_ARGS__ inline float chains_##SET(int turns) {                                                                      \
    using Vec = detail::SET::Vec<float>;                                                                                  \
    float const volatile factor = 1e-9f;                                                                                  \
    Vec sums[CHAINS];                                                                                                     \
    for (auto& sum : sums) sum = Vec{} + 1.0f;                                                                            \
    Vec const by = Vec{} + factor;                                                                                        \
    for (int turn = 0; turn < turns; ++turn) HONE_UNROLL for (int i = 0; i < CHAINS; ++i) sums[i] += by * sums[i];        \
    for (int i = 1; i < CHAINS; ++i) sums[0] += sums[i];                                                                  \
    float total = 0;                                                                                                      \
    for (int i = 0; i < detail::SET::lanes<float>; ++i) total += sums[0][i];                                              \
    return total;                                                                                                         \
  }                                                                                                                       \
  static_assert(true)

HONE_PEAK_CHAINS(portable, 12);
#if defined(HONE_X86_64)
HONE_PEAK_CHAINS(avx2, 12, __attribute__((target("avx2,fma"))));
HONE_PEAK_CHAINS(avx512, 24, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))));
#endif

/// Floating-point operations a second of one core: multiply-adds on registers alone, in all threads at once, with the
/// instruction set that the context's kernels use in float.
inline double peak_flops(HostContext& context) {
  constexpr int turns = 100000;
  std::vector<float> results(static_cast<std::size_t>(context.threads()));
  double lanes = 12 * detail::portable::lanes<float>;
  float (*chains)(int) = chains_portable;
#if defined(HONE_X86_64)
  if (context.instruction_set() == InstructionSet::avx2) chains = chains_avx2, lanes = 12 * detail::avx2::lanes<float>;
  if (context.instruction_set() >= InstructionSet::avx512) chains = chains_avx512, lanes = 24 * detail::avx512::lanes<float>;
#endif
  double const seconds = best_seconds([&] {
    context.pool().parallel_for(context.threads(), 1,
                                [&](Index begin, Index) { results[static_cast<std::size_t>(begin)] = chains(turns); });
  });
  benchmark::DoNotOptimize(results.data());
  return 2.0 * turns * lanes / seconds;
}

/// The same of bfloat16 on AMX's tiles: tiles of random values multiplied in registers alone. 0 where there is no AMX.
inline double peak_tile_flops([[maybe_unused]] HostContext& context) {
#if defined(HONE_X86_64)
  if (context.instruction_set() < InstructionSet::amx) return 0;
  constexpr int turns = 40000;
  double const seconds = best_seconds([&] {
    context.pool().parallel_for(
        context.threads(), 1,
        [&](Index, Index) __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))) {
          namespace simd = detail::amx;
          alignas(64) bfloat16 values[4][512];
          PhiloxStream stream(1, 6);
          for (auto& tile : values)
            for (auto& value : tile) value = bfloat16(2 * stream.uniform() - 1);
          simd::TileRegion const tiles;
          simd::tile_load<4>(values[0], 64);
          simd::tile_load<5>(values[1], 64);
          simd::tile_load<6>(values[2], 64);
          simd::tile_load<7>(values[3], 64);
          for (int turn = 0; turn < turns; ++turn) {
            simd::tile_multiply<0, 4, 6>();
            simd::tile_multiply<1, 4, 7>();
            simd::tile_multiply<2, 5, 6>();
            simd::tile_multiply<3, 5, 7>();
          }
        });
  });
  return 4.0 * 16 * 16 * 32 * 2 * turns / seconds;
#else
  return 0;
#endif
}

/// The same of bfloat16's dot products, on registers alone. 0 where kernels do not use them.
inline double peak_dot_flops([[maybe_unused]] HostContext& context) {
#if defined(HONE_X86_64)
  if (context.instruction_set() != InstructionSet::avx512 || !bfloat16_dots().fast) return 0;
  constexpr int turns = 200000;
  double const seconds = best_seconds([&] {
    context.pool().parallel_for(context.threads(), 1, [&](Index, Index) { detail::burst_of_dots(turns); });
  });
  return 12.0 * 32 * 2 * turns / seconds;
#else
  return 0;
#endif
}

/// The same of what a precision's products are computed on.
template <class P>
double peak_product_flops(HostContext& context) {
  double peak = 0;
  if (std::is_same_v<P, mixed>) peak = std::max(peak_tile_flops(context), peak_dot_flops(context));
  return peak > 0 ? peak : peak_flops(context);
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
