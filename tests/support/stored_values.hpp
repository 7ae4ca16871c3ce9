// Comparing with stored double-precision values: one rule for every tensor, stated once.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.hpp"
#include "support/tolerance.hpp"

namespace hone::test {

/// max |v|; infinite when one is not a number.
template <class T>
double largest(std::span<T const> values) {
  double most = 0;
  for (T const v : values)
    if (!(std::abs(double(v)) <= most)) most = std::isnan(double(v)) ? HUGE_VAL : std::abs(double(v));
  return most;
}
template <class T>
double largest(std::vector<T> const& values) {
  return largest(std::span<T const>(values));
}

/// max |a - b|; infinite when the sizes differ or a value is not a number.
template <class T>
double largest_difference(std::vector<T> const& a, std::vector<double> const& b) {
  if (a.size() != b.size()) return HUGE_VAL;
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    double const difference = std::abs(double(a[i]) - b[i]);
    if (!(difference <= most)) most = std::isnan(difference) ? HUGE_VAL : difference;
  }
  return most;
}

/// What max |a - b| / scale may be for values that a network of precision T computed. In double the project's promise; in
/// float what rounding makes of a chain of `terms` additions (rounding_bound).
template <class T>
double stored_tolerance(std::int64_t terms) {
  return std::is_same_v<T, double> ? 1e-9 : rounding_bound<T>(terms, 1.0);
}

/// max |got - stored| <= tolerance * max |stored|, or, where `at_least` is given, tolerance * max(max |stored|, at_least).
template <class T>
void check_stored(std::string const& name, std::vector<T> const& got, std::vector<double> const& stored, double tolerance,
                  double at_least = 0) {
  double const difference = largest_difference(got, stored), scale = std::max(largest(stored), at_least);
  INFO(name << ": " << got.size() << " values, difference " << difference << ", largest " << scale << ", ratio "
            << difference / scale);
  CHECK(difference <= tolerance * scale);
}

}  // namespace hone::test
