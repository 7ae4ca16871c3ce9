#pragma once

#include <cstdint>

#include "hone/core/matrix.hpp"

namespace hone {

/// Which token each row of an activation is: row r belongs to example first_example + sequence[r] of the optimizer step,
/// at index position[r] of its sequence. Random masks are keyed by these, never by r.
///
/// Shapes: sequence, position (N).
struct RowMap {
  VectorView<std::int32_t const> sequence{};
  VectorView<std::int32_t const> position{};
  Index first_example = 0;  ///< index within the step of the batch's first sequence

  HONE_HOST_DEVICE constexpr Index example(Index row) const { return first_example + sequence[row]; }
};

}  // namespace hone
