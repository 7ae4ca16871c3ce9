// Kernels under the block emulator: the same bits in every order of threads. compare_emulated.hpp compares operations.
#pragma once

#include <cstring>
#include <type_traits>
#include <vector>

#include "hone/testing/cuda_emulator.hpp"
#include "support/compare_rungs.hpp"
#include "support/in_brief.hpp"

namespace hone::test {

/// Whether two results have the same bits: vectors of numbers, of vectors, of grids.
template <class T>
bool same_bits(Grid<T> const& a, Grid<T> const& b) {
  return a.same_bits(b);
}
inline bool same_bits(AnyGrid const& a, AnyGrid const& b) {
  return a.index() == b.index() &&
         std::visit([&](auto const& one) { return one.same_bits(std::get<std::decay_t<decltype(one)>>(b)); }, a);
}
template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
  if (a.size() != b.size()) return false;
  if constexpr (std::is_trivially_copyable_v<T>) {
    return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
  } else {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!same_bits(a[i], b[i])) return false;
    }
    return true;
  }
}

inline char const* order_name(testing::ThreadOrder order) {
  switch (order) {
    case testing::ThreadOrder::forward:
      return "forward";
    case testing::ThreadOrder::backward:
      return "backward";
    default:
      return "shuffled";
  }
}

/// `compute(context)` gives a result by kernels on an EmulatorContext. Whether all orders of threads give the same bits.
template <class Compute>
bool orders_agree(Compute const& compute) {
  testing::EmulatorContext context;
  auto const first = compute(context);
  for (auto const order : testing::thread_orders) {
    context.set_order(order);
    if (!same_bits(compute(context), first)) return false;
  }
  return true;
}

/// The same as a check of the test case; the result is that of the forward order.
template <class Compute>
auto check_orders(Compute const& compute) {
  testing::EmulatorContext context;
  auto first = compute(context);
  for (auto const order : orders()) {
    INFO("threads in the order '" << order_name(order) << "'");
    context.set_order(order);
    REQUIRE(same_bits(compute(context), first));
  }
  return first;
}

}  // namespace hone::test
