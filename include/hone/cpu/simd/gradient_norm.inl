namespace hone::detail::HONE_SIMD {

/// Each partial is summed in 16 lanes, which are then added pairwise; the partials are added in order.
template <class P>
struct Kernel<SumOfSquares<P>> {
  using T = MasterOf<P>;
  HONE_TARGET static void run(HostContext& context, SumOfSquares<P> const& op) {
    Index const chunks = (op.x.size + norm_chunk - 1) / norm_chunk;
    context.pool().parallel_for(op.x.size, norm_chunk, [&](Index begin, Index end) HONE_TARGET {
      constexpr int width = 16;
      double sums[width] = {};
      T const* const x = op.x.data;
      Index i = begin;
      for (; i + width <= end; i += width)
        for (int lane = 0; lane < width; ++lane) {
          double const value = static_cast<double>(x[i + lane]);
          sums[lane] += value * value;
        }
      for (; i < end; ++i) sums[(i - begin) % width] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
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
