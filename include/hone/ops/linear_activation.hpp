#pragma once

#include "hone/ops/activation.hpp"

namespace hone {

/// u = x W^T + b,  h = activation(u): a linear layer and the non-linearity behind it.
///
/// Shapes: x (N, C), weight (O, C), bias (O), u (N, O), or empty where nobody reads it (no backward), h (N, O). u and h
/// overlap nothing. For kernels that do both while a product is at hand; `mixed` rounds u only where it is kept.
template <class P>
struct LinearActivationForward {
  Activation kind;
  MatrixView<ActivationOf<P> const> x, weight;
  VectorView<ActivationOf<P> const> bias;
  MatrixView<ActivationOf<P>> u, h;
  std::uint64_t weight_version = 0;  ///< as in LinearForward
};

/// du = (dy W) * activation'(u): backward through a linear layer and the non-linearity before it.
///
/// Shapes: dy (N, O), weight (O, C), u, du (N, C). du overlaps nothing.
template <class P>
struct LinearActivationBackwardInput {
  Activation kind;
  MatrixView<ActivationOf<P> const> dy, weight, u;
  MatrixView<ActivationOf<P>> du;
  std::uint64_t weight_version = 0;  ///< as in LinearForward
};

}  // namespace hone
