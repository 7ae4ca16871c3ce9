#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hone/core/config.hpp"

namespace hone {

/// Many token sequences in one piece of memory, without padding: sequence b is tokens[offsets[b] .. offsets[b + 1]).
///
/// Shapes: tokens (N), offsets (B + 1) with offsets[0] = 0 and offsets[B] = N.
struct RaggedTokens {
  std::vector<std::int32_t> tokens{};
  std::vector<std::int64_t> offsets{0};

  /// The number of sequences, B.
  std::size_t size() const noexcept { return offsets.size() - 1; }

  /// The tokens of sequence b.
  std::span<std::int32_t const> operator[](std::size_t b) const {
    return {tokens.data() + offsets[b], static_cast<std::size_t>(offsets[b + 1] - offsets[b])};
  }

  void push_back(std::span<std::int32_t const> sequence);
};

#if HONE_BODIES

HONE_INLINE void RaggedTokens::push_back(std::span<std::int32_t const> sequence) {
  tokens.insert(tokens.end(), sequence.begin(), sequence.end());
  offsets.push_back(static_cast<std::int64_t>(tokens.size()));
}

#endif

}  // namespace hone
