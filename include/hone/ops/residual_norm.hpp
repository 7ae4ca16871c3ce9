#pragma once

#include "hone/core/backend.hpp"
#include "hone/core/dropout.hpp"
#include "hone/core/row_map.hpp"

namespace hone {

/// z = residual + dropout(x),  y = gamma * (z - mean) * rstd + beta,  rstd = 1 / sqrt(variance + epsilon)
///
/// The end of each half of a post-norm encoder block. With no residual and no dropout it is LayerNorm alone.
/// Shapes: x, residual (or empty), z, y (N, D); gamma, beta (D); mean, rstd (N). z may be x; y overlaps nothing.
/// Mean and variance are those of the row, in two passes, the variance not corrected.
/// Source: Ba et al. 2016, arXiv:1607.06450, section 3.1; Vaswani et al. 2017, arXiv:1706.03762, sections 3.1 and 5.4.
template <class P>
struct ResidualNormForward {
  MatrixView<ActivationOf<P> const> x;
  MatrixView<ActivationOf<P> const> residual;
  Dropout dropout;
  RowMap rows;
  VectorView<ActivationOf<P> const> gamma, beta;
  double epsilon;
  MatrixView<ActivationOf<P>> z, y;
  VectorView<StatisticOf<P>> mean, rstd;
};

/// With g = gamma * dy and xhat = (z - mean) * rstd:
///   dz = rstd * (g - mean_D(g) - xhat * mean_D(g * xhat)),  dx = mask * dz
///   dgamma (+)= sum_N(dy * xhat),  dbeta (+)= sum_N(dy)
///
/// Shapes as in forward. dz is the gradient of the residual; dz may be dy. dx is empty where nobody reads it
/// (LayerNorm alone) and may be dz where there is no dropout. The order of every sum is fixed.
template <class P>
struct ResidualNormBackward {
  MatrixView<ActivationOf<P> const> dy, z;
  VectorView<StatisticOf<P> const> mean, rstd;
  VectorView<ActivationOf<P> const> gamma;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> dz, dx;
  VectorView<MasterOf<P>> dgamma, dbeta;
  Write write = Write::add;
};

}  // namespace hone
