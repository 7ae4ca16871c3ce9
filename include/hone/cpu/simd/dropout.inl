namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<DropoutApply<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, DropoutApply<P> const& op) {
    bool const drops = op.dropout.active();
    if (!drops && op.x.data == op.y.data) return;
    context.pool().parallel_for(op.x.rows, 32, [&](Index begin, Index end) HONE_TARGET {
      if (drops) {
        DropoutRows<StatisticOf<P>> masks(op.dropout, op.rows, op.x.cols);
        return drop_rows<A>(masks, op.x, op.y, begin, end);
      }
      for (Index n = begin; n < end; ++n) std::copy_n(op.x.row(n), op.x.cols, op.y.row(n));
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
