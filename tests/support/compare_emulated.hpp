// The kernels of cuda/ under the block emulator against Reference<P>: values, equal bits in every order of threads, nothing
// written beside.
#pragma once

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "hone/testing/cuda_emulator.hpp"
#include "support/compare_rungs.hpp"
#include "support/in_brief.hpp"

namespace hone::test {

/// `compute(backend tag, context)` runs operations and returns their outputs as AnyGrid. Format as in
/// check_against_reference.
template <class P, class Format = ActivationOf<P>, class Compute>
void check_emulated(Compute const& compute, std::int64_t terms) {
  HostContext reference({1});
  std::vector<AnyGrid> const expected = compute(std::type_identity<Reference<P>>{}, reference);
  std::vector<AnyGrid> first;
  for (auto const order : orders()) {
    INFO(P::name << ", order " << static_cast<int>(order));
    testing::EmulatorContext context({.order = order});
    std::vector<AnyGrid> const got = compute(std::type_identity<testing::CudaEmulator<P>>{}, context);
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      INFO("output " << i);
      if (first.empty()) {
        both(got[i], expected[i], [&](auto const& g, auto const& e) {
          require_close<Format>(g, e, terms);
          REQUIRE(g.gaps_untouched());
        });
      } else {
        both(got[i], first[i], [&](auto const& g, auto const& f) { REQUIRE(g.same_bits(f)); });
      }
    }
    if (first.empty()) first = got;
  }
}

/// What require_close asks, as an answer: for kernels that are broken on purpose.
template <class Format = void, class T>
bool is_close(Grid<T> const& got, Grid<T> const& expected, std::int64_t terms) {
  double scale = 1, worst = 0;
  for (Index r = 0; r < got.rows(); ++r)
    for (Index c = 0; c < got.cols(); ++c) {
      double const e = static_cast<double>(expected(r, c)), difference = std::abs(static_cast<double>(got(r, c)) - e);
      scale = std::max(scale, std::abs(e));
      worst = std::isnan(difference) ? HUGE_VAL : std::max(worst, difference);
    }
  return worst <= rounding_bound<std::conditional_t<std::is_void_v<Format>, T, Format>>(terms, scale);
}

}  // namespace hone::test
