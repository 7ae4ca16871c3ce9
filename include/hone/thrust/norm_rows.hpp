#pragma once

#include <cmath>

#include "hone/core/backend.hpp"
#include "hone/core/rounding.hpp"
#include "hone/thrust/algorithms.hpp"

namespace hone::detail {

/// Mean and 1 / standard deviation of each row of z, in two passes, columns in order.
template <class P>
struct RowStatistics {
  MatrixView<ActivationOf<P> const> z;
  StatisticOf<P> epsilon;
  VectorView<StatisticOf<P>> mean, rstd;
  HONE_HOST_DEVICE void operator()(Index n) const {
    using std::sqrt;
    using S = StatisticOf<P>;
    S sum = 0;
    for (Index c = 0; c < z.cols; ++c) sum += S(z(n, c));
    S const m = sum / S(z.cols);
    S squares = 0;
    for (Index c = 0; c < z.cols; ++c) squares += (S(z(n, c)) - m) * (S(z(n, c)) - m);
    mean[n] = m;
    rstd[n] = S(1) / sqrt(squares / S(z.cols) + epsilon);
  }
};

/// y = mask * (gamma * (z - mean) * rstd + beta), eight columns of one row.
template <class P>
struct NormalizedBlock {
  MatrixView<ActivationOf<P> const> z;
  VectorView<StatisticOf<P> const> mean, rstd;
  VectorView<ActivationOf<P> const> gamma, beta;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> y;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    ColumnBlock const at(i, z.cols);
    KeptColumns const kept(dropout, rows, at.row, at.block);
    S const m = mean[at.row], r = rstd[at.row], scale = S(dropout.scale());
    for (Index c = at.begin; c < at.end; ++c)
      y(at.row, c) = kept[c - at.begin] ? A((S(gamma[c]) * ((S(z(at.row, c)) - m) * r) + S(beta[c])) * scale) : A(0);
  }
};

/// How many rows one partial sum over rows covers: fixed, so that sums have the same bits everywhere.
inline constexpr Index rows_of_partial = 64;

/// Partial k of column c: the sums of dy * xhat and of dy over rows k * rows_of_partial .., in order.
template <class P>
struct NormParameterPartial {
  MatrixView<ActivationOf<P> const> dy, z;
  VectorView<StatisticOf<P> const> mean, rstd;
  MasterOf<P>*gamma_sums, *beta_sums;  ///< (partials, D)
  HONE_HOST_DEVICE void operator()(Index i) const {
    using S = StatisticOf<P>;
    using M = MasterOf<P>;
    Index const c = i % dy.cols, begin = i / dy.cols * rows_of_partial;
    Index const end = begin + rows_of_partial < dy.rows ? begin + rows_of_partial : dy.rows;
    M gamma_sum = 0, beta_sum = 0;
    for (Index n = begin; n < end; ++n) {
      gamma_sum += M(S(dy(n, c)) * ((S(z(n, c)) - mean[n]) * rstd[n]));
      beta_sum += M(S(dy(n, c)));
    }
    gamma_sums[i] = gamma_sum;
    beta_sums[i] = beta_sum;
  }
};

/// to[c] (+)= the partials of column c, in order.
template <class M>
struct ColumnOfPartials {
  M const* partials;
  Index count, width;
  M* to;
  Write write;
  HONE_HOST_DEVICE void operator()(Index c) const {
    M sum = 0;
    for (Index k = 0; k < count; ++k) sum += partials[k * width + c];
    to[c] = write == Write::add ? to[c] + sum : sum;
  }
};

/// Temporary memory of a norm's backward: the sums below, and after them two statistics a row.
template <class P>
std::size_t norm_temporary_bytes(Index rows, Index width) {
  Index const partials = (rows + rows_of_partial - 1) / rows_of_partial;
  std::size_t const sums = temporary_bytes<MasterOf<P>>(2 * partials * width);
  std::size_t const means = temporary_bytes<StatisticOf<P>>(2 * rows);
  return sums > means ? sums : means;
}

/// dgamma (+)= sum over rows of dy * xhat,  dbeta (+)= sum over rows of dy. Temporary memory: 2 D values for 64 rows.
template <class P, class Policy>
void norm_parameter_gradients(Policy& policy, MatrixView<ActivationOf<P> const> dy, MatrixView<ActivationOf<P> const> z,
                              VectorView<StatisticOf<P> const> mean, VectorView<StatisticOf<P> const> rstd,
                              VectorView<MasterOf<P>> dgamma, VectorView<MasterOf<P>> dbeta, Write write) {
  using M = MasterOf<P>;
  Index const width = dy.cols, partials = (dy.rows + rows_of_partial - 1) / rows_of_partial;
  Temporary<M, Policy> const sums(policy, 2 * partials * width);
  M *const gamma_sums = sums.data(), *const beta_sums = gamma_sums + partials * width;
  thrust_each(policy, partials * width, NormParameterPartial<P>{dy, z, mean, rstd, gamma_sums, beta_sums});
  thrust_each(policy, width, ColumnOfPartials<M>{gamma_sums, partials, width, dgamma.data, write});
  thrust_each(policy, width, ColumnOfPartials<M>{beta_sums, partials, width, dbeta.data, write});
}

/// mean(g) and mean(g * xhat) of each row, g = gamma * dy; columns in order.
template <class P>
struct RowGradientMeans {
  MatrixView<ActivationOf<P> const> dy, z;
  VectorView<StatisticOf<P> const> mean, rstd;
  VectorView<ActivationOf<P> const> gamma;
  StatisticOf<P>* means;  ///< (N, 2)
  HONE_HOST_DEVICE void operator()(Index n) const {
    using S = StatisticOf<P>;
    S sum_g = 0, sum_g_xhat = 0;
    for (Index c = 0; c < z.cols; ++c) {
      S const xhat = (S(z(n, c)) - mean[n]) * rstd[n], g = S(gamma[c]) * S(dy(n, c));
      sum_g += g;
      sum_g_xhat += g * xhat;
    }
    means[2 * n] = sum_g / S(z.cols);
    means[2 * n + 1] = sum_g_xhat / S(z.cols);
  }
};

/// dz = rstd * (g - mean(g) - xhat * mean(g * xhat)), dx = mask * dz (or no dx), eight columns of one row.
template <class P>
struct NormGradientBlock {
  MatrixView<ActivationOf<P> const> dy, z;
  VectorView<StatisticOf<P> const> mean, rstd;
  VectorView<ActivationOf<P> const> gamma;
  StatisticOf<P> const* means;
  Dropout dropout;
  RowMap rows;
  MatrixView<ActivationOf<P>> dz, dx;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using A = ActivationOf<P>;
    using S = StatisticOf<P>;
    ColumnBlock const at(i, z.cols);
    KeptColumns const kept(dropout, rows, at.row, at.block);
    S const m = mean[at.row], r = rstd[at.row], scale = S(dropout.scale());
    S const mean_g = means[2 * at.row], mean_g_xhat = means[2 * at.row + 1];
    for (Index c = at.begin; c < at.end; ++c) {
      S const xhat = (S(z(at.row, c)) - m) * r;
      S const g = rounded_product(S(gamma[c]), S(dy(at.row, c)));  // D = 1: g = mean(g), to the bit
      A const value = A(r * (g - mean_g - xhat * mean_g_xhat));
      dz(at.row, c) = value;
      if (dx) dx(at.row, c) = kept[c - at.begin] ? A(S(value) * scale) : A(0);
    }
  }
};

}  // namespace hone::detail
