namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<DropoutApply<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, DropoutApply<P> const& op) {
    bool const drops = op.dropout.active();
    if (!drops && op.x.data == op.y.data) return;
    context.pool().parallel_for(op.x.rows, 16, [&](Index begin, Index end) HONE_TARGET {
      for (Index n = begin; n < end; ++n)
        if (drops)
          drop_row<A>(op.dropout, op.rows, n, op.x.cols, op.x.row(n), op.y.row(n));
        else
          std::copy_n(op.x.row(n), op.x.cols, op.y.row(n));
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
