// hone::testing::check_layer as a Catch2 check.
#pragma once

#include <utility>

#include "hone/ops/dropout.hpp"
#include "hone/testing/check_layer.hpp"
#include "support/catch.hpp"
#include "support/in_brief.hpp"

namespace hone::test {

/// A report that must have passed, and must have compared something.
inline testing::CheckReport check_report(testing::CheckReport report) {
  INFO(report.text());
  CHECK(report.passed());
  CHECK(report.values > 0);
  CHECK(report.largest_error <= 1e-6);
  return report;
}

/// y = x where the backend's memory is: on a device the host can touch neither.
template <class B>
void copy(typename B::Context& context, MatrixView<double const> x, MatrixView<double> y) {
  run<B>(context, DropoutApply<typename B::Precision>{x, {}, {}, y});
}

/// Under the emulator a few values of each tensor are compared, and the random direction, in which all of them count.
template <class B>
testing::CheckOptions affordable(testing::CheckOptions options) {
  Index const most = in_brief<B> ? 1 : 4;
  if (is_emulated<B> && (options.most_values == 0 || options.most_values > most)) options.most_values = most;
  return options;
}

template <class B, class Make>
testing::CheckReport check_layer(Make&& make, testing::CheckOptions const& options = {}) {
  INFO("backend " << B::name);
  return check_report(testing::check_layer<B>(std::forward<Make>(make), affordable<B>(options)));
}

}  // namespace hone::test
