// What suites leave out where AddressSanitizer watches, above all each thread of kernels that are emulated thread by thread:
// fewer sizes and steps, one order of threads. Every build without a sanitizer runs all of it.
#pragma once

#include <span>
#include <vector>

#include "hone/core/backend.hpp"
#include "hone/testing/thread_order.hpp"

namespace hone::test {

#if defined(HONE_ADDRESS_SANITIZER)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

/// A backend whose kernels are emulated thread by thread: a thousand times slower.
template <class B>
inline constexpr bool is_emulated = requires(typename B::Context& context) {
  context.take_launches();
};
template <class B>
inline constexpr bool in_brief = is_emulated<B>&& sanitized;

/// All of them, or where a sanitizer watches those that take another path of the code each.
template <class T>
std::vector<T> some_of(std::vector<T> all, std::vector<T> brief) {
  return sanitized ? brief : all;
}

/// The orders of threads in which a kernel that is right is run.
inline std::span<testing::ThreadOrder const> orders() {
  std::span<testing::ThreadOrder const> const all(testing::thread_orders);
  return sanitized ? all.last(1) : all;  // shuffled
}

}  // namespace hone::test
