namespace hone::detail::HONE_SIMD {

/// lanes<double> values, as double.
template <class T>
HONE_SIMD_INLINE inline Vec<double> load_double(T const* from) {
  if constexpr (std::is_same_v<T, double>) return load(from);
  else {
    typedef T Few __attribute__((vector_size(lanes<double> * sizeof(T))));
    Few few;
    std::memcpy(&few, from, sizeof few);
#if defined(__CUDACC__)
    Vec<double> values{};
    for (int i = 0; i < lanes<double>; ++i) values[i] = few[i];
    return values;
#elif HONE_SIMD_AVX512 && !defined(__clang__)  // g++ 12 makes four instructions of the conversion
    return __builtin_ia32_cvtps2pd512_mask(few, Vec<double>{}, -1, 4);
#elif HONE_SIMD_BYTES == 32 && !defined(__clang__)
    return __builtin_ia32_cvtps2pd256(few);
#else
    return __builtin_convertvector(few, Vec<double>);
#endif
  }
}

/// Each partial is summed in 16 lanes, which are then added pairwise; the partials are added in order.
template <class P>
struct Kernel<SumOfSquares<P>> {
  using T = MasterOf<P>;
  HONE_TARGET static void run(HostContext& context, SumOfSquares<P> const& op) {
    Index const chunks = (op.x.size + norm_chunk - 1) / norm_chunk;
    context.pool().parallel_for(op.x.size, norm_chunk, [&](Index begin, Index end) HONE_TARGET {
      constexpr int width = 16, vectors = width / lanes<double>;
      constexpr Index ahead = 2048 / sizeof(T);  // the processor fetches by itself, but not over a page's end
      Vec<double> lane_sums[vectors] = {};
      T const* const x = op.x.data;
      for_rows(op.rows, begin, end, [&](Index first, Index last, bool used) HONE_SIMD_INLINE {
        if (!used) return;
        for (Index i = first; i + width <= last; i += width) {
          __builtin_prefetch(x + i + ahead, 0, 3);
          HONE_UNROLL for (int v = 0; v < vectors; ++v) {
            Vec<double> const value = load_double(x + i + v * lanes<double>);
            lane_sums[v] += value * value;
          }
        }
      });
      double sums[width];
      std::memcpy(sums, lane_sums, sizeof sums);
      for (Index i = begin + (end - begin) / width * width; i < end; ++i)
        sums[(i - begin) % width] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      for (int half = width / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
      op.partials[begin / norm_chunk] = sums[0];
    });
    double sum = 0;
    for (Index chunk = 0; chunk < chunks; ++chunk) sum += op.partials[chunk];
    op.result[0] = sum;
  }
};

}  // namespace hone::detail::HONE_SIMD
