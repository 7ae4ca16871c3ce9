#pragma once

#include "hone/core/backend.hpp"

namespace hone {

/// How many values one partial sum of SumOfSquares covers: fixed, so that the sum has the same bits everywhere.
inline constexpr Index norm_chunk = 16384;

/// result[0] = sum of x_i^2, in double. Shapes: x (n), partials (at least ceil(n / norm_chunk)), result (1).
///
/// Partial c is the sum over elements c * norm_chunk .. (c + 1) * norm_chunk - 1; the partials are
/// added in a fixed order.
template <class P>
struct SumOfSquares {
  VectorView<MasterOf<P> const> x;
  VectorView<double> partials;
  VectorView<double> result;
};

/// norm = sqrt(sum_of_squares),  scale = min(1, max_norm / (norm + 1e-6));  max_norm <= 0: scale = 1
///
/// Shapes: each (1), where the memory is. scale is NaN when the norm is not finite.
/// Source: Pascanu et al. 2013, arXiv:1211.5063, section 3.2, with the constant of torch.nn.utils.clip_grad_norm_.
template <class P>
struct ClipScale {
  VectorView<double const> sum_of_squares;
  double max_norm;
  VectorView<double> norm, scale;
};

/// scale[0] = NaN where a loss is not finite: AdamWStep then leaves everything untouched, though nobody has waited for the
/// losses to come to the host. Shapes: losses (n), scale (1).
template <class P>
struct GuardScale {
  VectorView<StatisticOf<P> const> losses;
  VectorView<double> scale;
};

}  // namespace hone
