// How far two computations of the same sum may be apart. One rule for every test; no test has its own number.
#pragma once

#include <cmath>
#include <cstdint>

#include "hone/core/bfloat16.hpp"

namespace hone::test {

/// Bound on |a - b| where both are sums of `terms` products in format T, added in different orders, whose partial sums are
/// of size `scale`: each addition rounds by at most epsilon / 2 * scale, rounding errors add up like a random walk, and a
/// function on top (exp, erf, square root) is worth a few more.
template <class T>
double rounding_bound(std::int64_t terms, double scale) {
  return 6 * machine_epsilon<T> * (std::sqrt(static_cast<double>(terms)) + 4) * scale;
}

/// In `mixed` sums are made in float, so that bfloat16 rounds values, not additions: a few times on the way from input to
/// output, each by at most epsilon / 2.
template <>
inline double rounding_bound<bfloat16>(std::int64_t terms, double scale) {
  return 2 * machine_epsilon<bfloat16> * scale + rounding_bound<float>(terms, scale);
}

}  // namespace hone::test
