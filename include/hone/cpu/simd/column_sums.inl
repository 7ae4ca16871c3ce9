namespace hone::detail::HONE_SIMD {

/// result[q][c] (+)= sum over chunks of partials(chunk, q * cols + c), chunks in order; partials (chunks, count * cols).
template <class T, std::size_t count>
HONE_TARGET void add_partials(HostContext& context, MatrixView<T const> partials,
                              std::array<VectorView<T>, count> const& results, Write write) {
  for (std::size_t q = 0; q < count; ++q) {
    VectorView<T> const to = results[q];
    if (!to) continue;
    T const* const from = partials.data + static_cast<Index>(q) * to.size;
    context.pool().parallel_for(to.size, 256, [&](Index begin, Index end) HONE_TARGET {
      for_vectors<T>(end - begin, [&](Index i, auto part) HONE_SIMD_INLINE {
        Vec<T> sum = splat<T>(T(0));  // nvcc 13 ends with an internal error at Vec<T>{} here
        for (Index chunk = 0; chunk < partials.rows; ++chunk) sum += load(from + chunk * partials.stride + begin + i, part);
        if (write == Write::add) sum = load(to.data + begin + i, part) + sum;
        store(to.data + begin + i, sum, part);
      });
    });
  }
}

/// results[q][c] (+)= sum over rows n of what `accumulate(n, c, part, sums)` adds to sums[q] for the lanes from column c on.
template <class T, std::size_t count, class Accumulate>
HONE_TARGET void column_sums(HostContext& context, Index rows, Index cols, Accumulate const& accumulate,
                 std::array<VectorView<T>, count> const& results, Write write) {
  Index const chunks = (rows + partial_rows - 1) / partial_rows, width = static_cast<Index>(count) * cols;
  T* const partials = scratch<T>(Scratch::reduction, chunks * width);
  context.pool().parallel_for(rows, partial_rows, [&](Index begin, Index end) HONE_TARGET {
    T* const to = partials + begin / partial_rows * width;
    for_vectors<T>(cols, [&](Index c, auto part) HONE_SIMD_INLINE {
      Vec<T> sums[count] = {};
      for (Index n = begin; n < end; ++n) accumulate(n, c, part, sums);
      for (std::size_t q = 0; q < count; ++q) store(to + static_cast<Index>(q) * cols + c, sums[q], part);
    });
  });
  add_partials<T, count>(context, {partials, chunks, width}, results, write);
}

}  // namespace hone::detail::HONE_SIMD
