#pragma once

#include "hone/core/backend.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/row_map.hpp"

namespace hone {

/// z = residual + dropout(x W^T + b): a linear layer and what joins it before a norm.
///
/// Shapes: x (N, C), weight (O, C), bias (O), residual, z (N, O). z overlaps nothing.
/// The mask's key: rows' examples and positions, and the column. For kernels that do it while a product is at hand.
template <class P>
struct LinearResidualForward {
  MatrixView<ActivationOf<P> const> x, weight;
  VectorView<ActivationOf<P> const> bias;
  MatrixView<ActivationOf<P> const> residual;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> z;
  std::uint64_t weight_version = 0;  ///< as in LinearForward
};

}  // namespace hone
