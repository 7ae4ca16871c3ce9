#pragma once

#include "hone/core/backend.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/row_map.hpp"

namespace hone {

/// y = mask * x / (1 - p); backward is the same operation on dy. y may be x.
///
/// Shapes: x, y (N, D). Without dropout it copies.
template <class P>
struct DropoutApply {
  MatrixView<ActivationOf<P> const> x;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> y;
};

}  // namespace hone
