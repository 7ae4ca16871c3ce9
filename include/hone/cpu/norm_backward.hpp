#pragma once

#include <algorithm>

#include "hone/core/row_map.hpp"
#include "hone/cpu/column_sums.hpp"
#include "hone/cpu/dropout_mask.hpp"
#include "hone/cpu/layer_norm_row.hpp"

namespace hone::detail {

/// Layer norm's backward over rows in chunks, each with its own sums for dgamma and dbeta, added in order at the end.
///
/// `slope_row(n)` gives the gradient of the norm's output (it may point into dz); `row_done(n)` runs when dz's row is there.
template <class T, class SlopeRow, class RowDone>
void norm_backward(HostContext& context, MatrixView<T const> z, VectorView<T const> mean, VectorView<T const> rstd,
                   VectorView<T const> gamma, MatrixView<T> dz, VectorView<T> dgamma, VectorView<T> dbeta, Write write,
                   SlopeRow const& slope_row, RowDone const& row_done) {
  Index const width = z.cols, chunks = (z.rows + partial_rows - 1) / partial_rows;
  T* const partials = scratch<T>(Scratch::reduction, chunks * 2 * width);
  context.pool().parallel_for(z.rows, partial_rows, [&](Index begin, Index end) {
    T* const gamma_sums = partials + begin / partial_rows * 2 * width;
    T* const beta_sums = gamma_sums + width;
    std::fill(gamma_sums, beta_sums + width, T(0));
    for (Index n = begin; n < end; ++n) {
      T const *const dy = slope_row(n), *const values = z.row(n);
      T* const to = dz.row(n);
      T const middle = mean[n], inverse = rstd[n];
      auto const means = layer_norm_means<T>(dy, values, gamma.data, middle, inverse, width);
      for_vectors<T>(width, [&](Index c, auto part) HONE_ALWAYS_INLINE {
        Vec<T> const slope = load(dy + c, part), normal = (load(values + c, part) - middle) * inverse;
        store<T>(gamma_sums + c, load(gamma_sums + c, part) + slope * normal, part);
        store<T>(beta_sums + c, load(beta_sums + c, part) + slope, part);
        store<T>(to + c, (load(gamma.data + c, part) * slope - means.g - normal * means.g_normal) * inverse, part);
      });
      row_done(n);
    }
  });
  add_partials<T, 2>(context, {partials, chunks, 2 * width}, {dgamma, dbeta}, write);
}

/// to = mask * from over the row of one token.
template <class T>
void drop_row(Dropout const& dropout, RowMap const& rows, Index n, Index width, T const* from, T* to) {
  T* const factors = scratch<T>(Scratch::tile, dropout_factors_room(width));
  dropout_factors(dropout, rows.position[n], rows.example(n), width, factors);
  for_vectors<T>(width, [&](Index c, auto part)
                            HONE_ALWAYS_INLINE { store<T>(to + c, load(from + c, part) * load(factors + c, part), part); });
}

}  // namespace hone::detail
