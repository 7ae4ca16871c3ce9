namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<ResidualNormForward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  using V = Vec<T>;
  HONE_TARGET static void run(HostContext& context, ResidualNormForward<P> const& op) {
    Index const width = op.z.cols;
    bool const there = op.x.data == op.z.data && !op.dropout.active() && !op.residual;
    context.pool().parallel_for(op.z.rows, 16, [&](Index begin, Index end) HONE_TARGET {
      T* const factors = scratch<T>(Scratch::tile, dropout_factors_room(width));
      for (Index n = begin; n < end; ++n) {
        bool const drops = op.dropout.active();
        if (drops) dropout_factors(op.dropout, op.rows.position[n], op.rows.example(n), width, factors);
        A const *const x = op.x.row(n), *const residual = op.residual ? op.residual.row(n) : nullptr;
        A* const z = op.z.row(n);
        V total{};
        if (there)
          for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE { total += load(x + c, part); });
        else for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
          V value = load(x + c, part);
          if (drops) value *= load(factors + c, part);
          if (residual) value += load(residual + c, part);
          value = as_stored<A>(value);
          store(z + c, value, part);
          total += value;
        });
        layer_norm_vectors<A>(z, sum<T>(total), op.gamma.data, op.beta.data, static_cast<T>(op.epsilon),
                                      width, op.y.row(n), op.mean[n], op.rstd[n]);
      }
    });
  }
};

template <class P>
struct Kernel<ResidualNormBackward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, ResidualNormBackward<P> const& op) {
    Index const width = op.z.cols;
    bool const drops = op.dropout.active(), copies = op.dx && !drops && op.dx.data != op.dz.data;
    norm_backward<A>(
        context, op.z, op.mean, op.rstd, op.gamma, op.dz, op.dgamma, op.dbeta, op.write,
        [&](Index n) HONE_TARGET { return op.dy.row(n); },
        [&](Index n) HONE_TARGET {
          if (op.dx && drops) drop_row<A>(op.dropout, op.rows, n, width, op.dz.row(n), op.dx.row(n));
          if (copies) std::copy_n(op.dz.row(n), width, op.dx.row(n));
        });
  }
};

}  // namespace hone::detail::HONE_SIMD
