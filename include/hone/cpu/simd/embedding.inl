namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<EmbeddingForward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  using V = Vec<T>;
  HONE_TARGET static void run(HostContext& context, EmbeddingForward<P> const& op) {
    Index const width = op.z.cols;
    context.pool().parallel_for(op.z.rows, 16, [&](Index begin, Index end) HONE_TARGET {
      for (Index n = begin; n < end; ++n) {
        A const *const word = op.word.row(op.tokens[n]), *const segment = op.segment.row(op.segments[n]);
        A const* const position = op.position.row(op.positions[n]);
        A *const z = op.z.row(n), *const y = op.y.row(n);
        V total{};
        for_vectors<T>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
          V value = load(word + c, part) + load(segment + c, part) + load(position + c, part);
          value = as_stored<A>(value);
          store(z + c, value, part);
          total += value;
        });
        layer_norm_vectors<A>(z, sum<T>(total), op.gamma.data, op.beta.data, static_cast<T>(op.epsilon),
                                      width, y, op.mean[n], op.rstd[n]);
        if (op.dropout.active()) drop_row<A>(op.dropout, op.rows, n, width, y, y);
      }
    });
  }
};

/// Each thread owns columns of all three tables and goes through the tokens in order, so that sums have a fixed order.
template <class P>
struct Kernel<EmbeddingBackward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, EmbeddingBackward<P> const& op) {
    Index const width = op.z.cols;
    bool const drops = op.dropout.active();
    norm_backward<A>(
        context, op.z, op.mean, op.rstd, op.gamma, op.dz, op.dgamma, op.dbeta, op.write,
        [&](Index n) HONE_TARGET -> A const* {
          if (!drops) return op.dy.row(n);
          drop_row<A>(op.dropout, op.rows, n, width, op.dy.row(n), op.dz.row(n));
          return op.dz.row(n);
        },
        [](Index) HONE_TARGET {});
    if (op.write == Write::assign) {
      MatrixView<MasterOf<P>> const tables[] = {op.dword, op.dposition, op.dsegment};
      for (auto const& table : tables)
        context.pool().parallel_for(table.rows, 256, [&](Index begin, Index end) HONE_TARGET {
          for (Index i = begin; i < end; ++i) std::fill_n(table.row(i), width, MasterOf<P>(0));
        });
    }
    context.pool().parallel_for(width, 64, [&](Index begin, Index end) HONE_TARGET {
      for (Index n = 0; n < op.dz.rows; ++n) {
        A const* const from = op.dz.row(n) + begin;
        for (T* const to : {op.dword.row(op.tokens[n]), op.dposition.row(op.positions[n]), op.dsegment.row(op.segments[n])})
          for_vectors<T>(end - begin, [&](Index c, auto part) HONE_SIMD_INLINE {
            store(to + begin + c, load(to + begin + c, part) + load(from + c, part), part);
          });
      }
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
