#pragma once

#include <cstdint>

#include "hone/core/matrix.hpp"

namespace hone {

/// A table's rows in a flat buffer (of gradients, of moments), and which of them may differ from zero: most of a vocabulary
/// is in no batch, and who knows it need not read the rest.
///
/// Row r is at values begin + r * width .. begin + (r + 1) * width - 1 and is all zeros unless used[r]. Without `used`
/// nothing is known.
struct UsedRows {
  Index begin = 0, count = 0, width = 0;
  std::uint8_t const* used = nullptr;

  /// The same rows in a part of the buffer that begins at value `first`.
  constexpr UsedRows seen_from(Index first) const { return {begin - first, count, width, used}; }
};

}  // namespace hone
