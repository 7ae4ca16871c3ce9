namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<ResidualNormForward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, ResidualNormForward<P> const& op) {
    Index const width = op.z.cols;
    bool const there = op.x.data == op.z.data && !op.dropout.active() && !op.residual;
    context.pool().parallel_for(op.z.rows, 32, [&](Index begin, Index end) HONE_TARGET {
      DropoutRows<T> masks(op.dropout, op.rows, width);
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
              if (drops) value *= masks.factors(r, c);
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
  HONE_TARGET static void run(HostContext& context, ResidualNormBackward<P> const& op) {
    if (op.dx && op.dropout.active()) run<true>(context, op, false);
    else run<false>(context, op, op.dx && op.dx.data != op.dz.data);
  }

 private:
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  template <bool drops>
  struct Work {
    ResidualNormBackward<P> const& op;
    bool copies;
    DropoutRows<T> masks;
    Strip<A> dx{};
    HONE_SIMD_INLINE Strip<A const> strip(Index n, int count) {
      if constexpr (drops) masks.make(n, count);
      if (drops || copies) dx = strip_of(op.dx, n);
      return strip_of(op.dy, n);
    }
    template <int count, class Part>
    HONE_SIMD_INLINE void done(int r, Index c, Vec<T> const (&values)[count], Part part) const {
      if constexpr (drops) {
        Vec<T> dropped[count];
        HONE_UNROLL for (int v = 0; v < count; ++v) dropped[v] = values[v] * masks.factors(r, c + v * lanes<T>);
        store_vectors<A, count>(dx.row(r) + c, dropped, part);
      } else if (copies) {
        store_vectors<A, count>(dx.row(r) + c, values, part);
      }
    }
  };
  template <bool drops>
  HONE_TARGET static void run(HostContext& context, ResidualNormBackward<P> const& op, bool copies) {
    norm_backward<A>(context, op.z, op.mean, op.rstd, op.gamma, op.dz, op.dgamma, op.dbeta, op.write, [&]() HONE_TARGET {
      return Work<drops>{op, copies, DropoutRows<T>(drops ? op.dropout : Dropout{}, op.rows, op.z.cols)};
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
