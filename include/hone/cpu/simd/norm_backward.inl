namespace hone::detail::HONE_SIMD {

/// Layer norm's backward over rows in chunks, each with its own sums for dgamma and dbeta, added in order at the end.
///
/// `slope_row(n)` gives the gradient of the norm's output (it may point into dz); `row_done(n)` runs when dz's row is there.
template <class A, class T = ScalarOf<A>, class SlopeRow, class RowDone>
HONE_TARGET void norm_backward(HostContext& context, MatrixView<A const> z, VectorView<T const> mean,
                               VectorView<T const> rstd, VectorView<A const> gamma, MatrixView<A> dz, VectorView<T> dgamma,
                               VectorView<T> dbeta, Write write, SlopeRow const& slope_row, RowDone const& row_done) {
  Index const width = z.cols, chunks = (z.rows + partial_rows - 1) / partial_rows;
  T* const partials = scratch<T>(Scratch::reduction, chunks * 2 * width);
  context.pool().parallel_for(z.rows, partial_rows, [&](Index begin, Index end) HONE_TARGET {
    T* const gamma_sums = partials + begin / partial_rows * 2 * width;
    T* const beta_sums = gamma_sums + width;
    std::fill(gamma_sums, beta_sums + width, T(0));
    for (Index n = begin; n < end; ++n) {
      A const *const dy = slope_row(n), *const values = z.row(n);
      A* const to = dz.row(n);
      T const middle = mean[n], inverse = rstd[n];
      auto const means = layer_norm_means<A>(dy, values, gamma.data, middle, inverse, width);
      for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
        Vec<T> const slope = load(dy + c, part), normal = (load(values + c, part) - middle) * inverse;
        store(gamma_sums + c, load(gamma_sums + c, part) + slope * normal, part);
        store(beta_sums + c, load(beta_sums + c, part) + slope, part);
        store(to + c, (load(gamma.data + c, part) * slope - means.g - normal * means.g_normal) * inverse, part);
      });
      row_done(n);
    }
  });
  add_partials<T, 2>(context, {partials, chunks, 2 * width}, {dgamma, dbeta}, write);
}

/// to = mask * from over the row of one token.
template <class A, class T = ScalarOf<A>>
HONE_TARGET void drop_row(Dropout const& dropout, RowMap const& rows, Index n, Index width, A const* from, A* to) {
  T* const factors = scratch<T>(Scratch::tile, dropout_factors_room(width));
  dropout_factors(dropout, rows.position[n], rows.example(n), width, factors);
  for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
    store(to + c, load(from + c, part) * load(factors + c, part), part);
  });
}

}  // namespace hone::detail::HONE_SIMD
