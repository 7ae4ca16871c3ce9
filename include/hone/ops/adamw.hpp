#pragma once

#include "hone/core/backend.hpp"
#include "hone/core/used_rows.hpp"

namespace hone {

/// One AdamW update of a range of parameters, with the gradient g = gradient_scale * gradient:
///   w -= learning_rate * weight_decay * w
///   m  = beta1 * m + (1 - beta1) * g,  v = beta2 * v + (1 - beta2) * g^2
///   w -= learning_rate / correction1 * m / (sqrt(v) / sqrt(correction2) + epsilon),  correction = 1 - beta^t
///   working = w, rounded, where there is a working copy
///
/// Shapes: weight, gradient, first (m), second (v) (n); working (n) or empty; gradient_scale (1), read where the memory is.
/// A scale that is not finite (a gradient was not) leaves everything untouched. `rows` tells where gradient and both moments
/// are zero and need not be read, since they stay so; it does not change the result.
/// Source: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2, as in torch.optim.AdamW.
template <class P>
struct AdamWStep {
  VectorView<MasterOf<P>> weight;
  VectorView<MasterOf<P> const> gradient;
  VectorView<MasterOf<P>> first, second;
  VectorView<double const> gradient_scale;
  double learning_rate, weight_decay, beta1, beta2, epsilon, correction1, correction2;
  VectorView<ActivationOf<P>> working{};
  UsedRows rows{};
};

}  // namespace hone
