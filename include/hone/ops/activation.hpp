#pragma once

#include <cstdint>

#include "hone/core/backend.hpp"

namespace hone {

/// The non-linearities that BERT configurations name.
enum class Activation : std::uint8_t {
  gelu,      ///< u * Phi(u), exact, by erf. Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2
  gelu_new,  ///< its tanh approximation: u / 2 * (1 + tanh(sqrt(2 / pi) * (u + 0.044715 u^3)))
  relu,      ///< max(u, 0)
};

/// h = activation(u), element by element. h may be u (then u cannot be used by backward).
template <class P>
struct ActivationForward {
  Activation kind;
  MatrixView<ActivationOf<P> const> u;
  MatrixView<ActivationOf<P>> h;
};

/// du = dh * activation'(u). du may be dh.
template <class P>
struct ActivationBackward {
  Activation kind;
  MatrixView<ActivationOf<P> const> u, dh;
  MatrixView<ActivationOf<P>> du;
};

}  // namespace hone
