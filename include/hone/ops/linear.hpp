#pragma once

#include <cstdint>

#include "hone/core/backend.hpp"

namespace hone {

/// y = x W^T + b
///
/// Shapes: x (N, C), weight (O, C), bias (O) or empty, y (N, O). y overlaps nothing.
/// Row n of y depends on row n of x alone.
/// `weight_version` changes whenever the weight does, and is never that of other weights (ParameterStore::weights_version):
/// a kernel may keep what it makes of the weight. 0: it must not.
template <class P>
struct LinearForward {
  MatrixView<ActivationOf<P> const> x;
  MatrixView<ActivationOf<P> const> weight;
  VectorView<ActivationOf<P> const> bias;
  MatrixView<ActivationOf<P>> y;
  std::uint64_t weight_version = 0;
};

/// dx = dy W, or dx += dy W
///
/// Shapes: dy (N, O), weight (O, C), dx (N, C). dx overlaps nothing.
template <class P>
struct LinearBackwardInput {
  MatrixView<ActivationOf<P> const> dy;
  MatrixView<ActivationOf<P> const> weight;
  MatrixView<ActivationOf<P>> dx;
  Write write = Write::assign;
  std::uint64_t weight_version = 0;  ///< as in LinearForward
};

/// dW (+)= dy^T x,  db (+)= sum over rows of dy
///
/// Shapes: x (N, C), dy (N, O), dweight (O, C), dbias (O) or empty. The order of every sum is fixed.
template <class P>
struct LinearBackwardParameters {
  MatrixView<ActivationOf<P> const> x;
  MatrixView<ActivationOf<P> const> dy;
  MatrixView<MasterOf<P>> dweight;
  VectorView<MasterOf<P>> dbias;
  Write write = Write::add;
};

}  // namespace hone
