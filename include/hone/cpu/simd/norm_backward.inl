namespace hone::detail::HONE_SIMD {

/// Layer norm's backward over rows in chunks, each with its own sums for dgamma and dbeta, added in order at the end.
///
/// For each chunk `begin_chunk()` makes an object of its thread's: `strip(n, count)` is called before `count` rows are
/// computed and gives the gradients of the norm's output there (they may lie in dz); `done(r, c, values, part)` gets what
/// was stored in dz, before rounding, for columns c, ... of the strip's row r: an array of vectors.
template <class A, class T = ScalarOf<A>, class BeginChunk>
HONE_TARGET void norm_backward(HostContext& context, MatrixView<A const> z, VectorView<T const> mean,
                               VectorView<T const> rstd, VectorView<A const> gamma, MatrixView<A> dz, VectorView<T> dgamma,
                               VectorView<T> dbeta, Write write, BeginChunk const& begin_chunk) {
  Index const width = z.cols, chunks = (z.rows + partial_rows - 1) / partial_rows;
  T* const partials = scratch<T>(Scratch::reduction, chunks * 2 * width);
  context.pool().parallel_for(z.rows, partial_rows, [&](Index begin, Index end) HONE_TARGET {
    auto work = begin_chunk();
    T* const gamma_sums = partials + begin / partial_rows * 2 * width;
    T* const beta_sums = gamma_sums + width;
    std::fill(gamma_sums, beta_sums + width, T(0));
    for_strips(begin, end, [&](Index n, auto rows) HONE_SIMD_INLINE {
      constexpr int count = decltype(rows)::value;
      Strip<A const> const dy = work.strip(n, count), values = strip_of(z, n);
      Strip<A> const to = strip_of(dz, n);
      T middle[count], inverse[count], mean_g[count], mean_g_normal[count];
      Vec<T> sum_g[count] = {}, sum_g_normal[count] = {};
      HONE_UNROLL for (int r = 0; r < count; ++r) middle[r] = mean[n + r], inverse[r] = rstd[n + r];
      for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
        Vec<T> const factor = load(gamma.data + c, part);  // zero in the lanes that are not meant
        HONE_UNROLL for (int r = 0; r < count; ++r) {
          Vec<T> const g = factor * load(dy.row(r) + c, part);
          sum_g[r] += g;
          sum_g_normal[r] += g * ((load(values.row(r) + c, part) - middle[r]) * inverse[r]);
        }
        values.template fetch_next<count>(c);
      });
      HONE_UNROLL for (int r = 0; r < count; ++r) {
        mean_g[r] = lane_sum<T>(sum_g[r]) / static_cast<T>(width);
        mean_g_normal[r] = lane_sum<T>(sum_g_normal[r]) / static_cast<T>(width);
      }
      for_vectors_together<A>(width, [&](auto vectors, Index c, auto part) HONE_SIMD_INLINE {
        constexpr int beside = decltype(vectors)::value;
        Vec<T> factor[beside], gamma_sum[beside], beta_sum[beside];
        HONE_UNROLL for (int v = 0; v < beside; ++v) {
          Index const at = c + v * lanes<T>;
          factor[v] = load(gamma.data + at, part);
          gamma_sum[v] = load(gamma_sums + at, part);
          beta_sum[v] = load(beta_sums + at, part);
        }
        HONE_UNROLL for (int r = 0; r < count; ++r) {
          Vec<T> results[beside];
          HONE_UNROLL for (int v = 0; v < beside; ++v) {
            Index const at = c + v * lanes<T>;
            Vec<T> const slope = load(dy.row(r) + at, part);
            Vec<T> const normal = (load(values.row(r) + at, part) - middle[r]) * inverse[r];
            gamma_sum[v] += slope * normal;
            beta_sum[v] += slope;
            results[v] = (factor[v] * slope - mean_g[r] - normal * mean_g_normal[r]) * inverse[r];
          }
          store_vectors<A, beside>(to.row(r) + c, results, part);
          work.done(r, c, results, part);
        }
        HONE_UNROLL for (int v = 0; v < beside; ++v) {
          store(gamma_sums + c + v * lanes<T>, gamma_sum[v], part);
          store(beta_sums + c + v * lanes<T>, beta_sum[v], part);
        }
        dy.template fetch_next<count>(c);
      });
    });
  });
  add_partials<T, 2>(context, {partials, chunks, 2 * width}, {dgamma, dbeta}, write);
}

}  // namespace hone::detail::HONE_SIMD
