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

template <class B, class Make>
testing::CheckReport check_layer(Make&& make, testing::CheckOptions const& options = {}) {
  INFO("backend " << B::name);
  return check_report(testing::check_layer<B>(std::forward<Make>(make), options));
}

}  // namespace hone::test
