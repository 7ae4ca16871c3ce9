// hone::testing::check_layer as a Catch2 check.
#pragma once

#include <utility>

#include "hone/testing/check_layer.hpp"
#include "support/catch.hpp"

namespace hone::test {

/// A report that must have passed, and must have compared something.
inline testing::CheckReport check_report(testing::CheckReport report) {
  INFO(report.text());
  CHECK(report.passed());
  CHECK(report.values > 0);
  CHECK(report.largest_error <= 1e-6);
  return report;
}

/// A backend whose kernels are emulated thread by thread: a thousand times slower.
template <class B>
inline constexpr bool is_emulated = requires(typename B::Context& context) {
  context.take_launches();
};

/// Under the emulator a few values of each tensor are compared, and the random direction, in which all of them count.
template <class B>
testing::CheckOptions affordable(testing::CheckOptions options) {
  if (is_emulated<B> && (options.most_values == 0 || options.most_values > 4)) options.most_values = 4;
  return options;
}

template <class B, class Make>
testing::CheckReport check_layer(Make&& make, testing::CheckOptions const& options = {}) {
  INFO("backend " << B::name);
  return check_report(testing::check_layer<B>(std::forward<Make>(make), affordable<B>(options)));
}

}  // namespace hone::test
