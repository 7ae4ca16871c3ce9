#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "hone/core/matrix.hpp"

namespace hone::testing {

/// In which order the emulator runs the warps of a block, the lanes of a warp and the blocks of a launch between two points
/// where they meet. A kernel that is right gives the same bits in all of them; a missing barrier shows in one or another.
enum class ThreadOrder : std::uint8_t { forward, backward, shuffled };

inline constexpr ThreadOrder thread_orders[] = {ThreadOrder::forward, ThreadOrder::backward, ThreadOrder::shuffled};

/// 0 to count - 1 in the given order; the shuffle depends on `seed` alone.
inline std::vector<Index> in_order(ThreadOrder order, Index count, std::uint64_t seed) {
  std::vector<Index> numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<Index>(i);
  if (order == ThreadOrder::backward) std::reverse(numbers.begin(), numbers.end());
  if (order == ThreadOrder::shuffled) {
    std::uint64_t state = seed;
    for (std::size_t i = numbers.size(); i > 1; --i) {  // splitmix64 (Steele et al. 2014), Fisher and Yates
      std::uint64_t z = (state += 0x9E3779B97F4A7C15u);
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      std::swap(numbers[i - 1], numbers[(z ^ (z >> 31)) % i]);
    }
  }
  return numbers;
}

}  // namespace hone::testing
