namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<ResidualNormForward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, ResidualNormForward<P> const& op) {
    Index const width = op.z.cols;
    bool const there = op.x.data == op.z.data && !op.dropout.active() && !op.residual;
    context.pool().parallel_for(op.z.rows, 32, [&](Index begin, Index end) HONE_TARGET {
      DropoutRows masks(op.dropout, op.rows, width);
      bool const drops = masks.active(), adds = bool(op.residual);
      for_strips(begin, end, [&](Index n, auto rows) HONE_SIMD_INLINE {
        constexpr int count = decltype(rows)::value;
        if (drops) masks.make(n, count);
        Strip<A const> const x = strip_of(op.x, n), residual = strip_of(adds ? op.residual : op.x, n);
        Strip<A> const z = strip_of(op.z, n);
        Vec<T> total[count] = {};
        if (there)
          for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
            HONE_UNROLL for (int r = 0; r < count; ++r) total[r] += load(z.row(r) + c, part);
            x.template fetch_next<count>(c);
          });
        else
          for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
            HONE_UNROLL for (int r = 0; r < count; ++r) {
              Vec<T> value = load(x.row(r) + c, part);
              if (drops) value *= masks.factors<T>(r, c);
              if (adds) value += load(residual.row(r) + c, part);
              value = as_stored<A>(value);
              store(z.row(r) + c, value, part);
              total[r] += only<T>(value, part);
            }
            x.template fetch_next<count>(c);
            residual.template fetch_next<count>(c);
          });
        layer_norm_rows<count, A>(z, total, op.gamma.data, op.beta.data, static_cast<T>(op.epsilon), width,
                                  strip_of(op.y, n), op.mean.data + n, op.rstd.data + n);
      });
    });
  }
};

template <class P>
struct Kernel<ResidualNormBackward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  struct Work {
    ResidualNormBackward<P> const& op;
    bool copies;
    DropoutRows masks;
    HONE_SIMD_INLINE Strip<A const> strip(Index n, int count) {
      if (op.dx && masks.active()) masks.make(n, count);
      return strip_of(op.dy, n);
    }
    template <class Part>
    HONE_SIMD_INLINE void done(int r, Index n, Index c, Vec<T> value, Part part) const {
      if (!op.dx) return;
      if (masks.active()) store(op.dx.row(n) + c, value * masks.template factors<T>(r, c), part);
      else if (copies) store(op.dx.row(n) + c, value, part);
    }
  };
  HONE_TARGET static void run(HostContext& context, ResidualNormBackward<P> const& op) {
    bool const copies = op.dx.data != op.dz.data;
    norm_backward<A>(context, op.z, op.mean, op.rstd, op.gamma, op.dz, op.dgamma, op.dbeta, op.write, [&]() HONE_TARGET {
      return Work{op, copies, DropoutRows(op.dropout, op.rows, op.z.cols)};
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
