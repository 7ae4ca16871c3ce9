#pragma once

#include <cstdint>

#include "hone/core/backend.hpp"

namespace hone {

/// y_i = x_rows[i]. Shapes: x (N, D), rows (M), y (M, D). y overlaps nothing.
template <class P>
struct GatherRows {
  MatrixView<ActivationOf<P> const> x;
  VectorView<std::int32_t const> rows;
  MatrixView<ActivationOf<P>> y;
};

/// dx_rows[i] += dy_i. Shapes: dy (M, D), rows (M), all different, dx (N, D).
template <class P>
struct ScatterAddRows {
  MatrixView<ActivationOf<P> const> dy;
  VectorView<std::int32_t const> rows;
  MatrixView<ActivationOf<P>> dx;
};

}  // namespace hone
