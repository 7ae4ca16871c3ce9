namespace hone::detail::HONE_SIMD {

template <class P>
struct Kernel<LinearForward<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearForward<P> const& op) {
    gemm<ScalarOf<A>>(context, Operand<A>::of(op.x), Operand<A>::transposed(op.weight), op.y, op.x.cols, op.bias,
                      Write::assign);
  }
};

template <class P>
struct Kernel<LinearBackwardInput<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearBackwardInput<P> const& op) {
    gemm<ScalarOf<A>>(context, Operand<A>::of(op.dy), Operand<A>::of(op.weight), op.dx, op.dy.cols, {}, op.write);
  }
};

template <class P>
struct Kernel<LinearBackwardParameters<P>> {
  using A = ActivationOf<P>;
  using T = MasterOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearBackwardParameters<P> const& op) {
    gemm<T>(context, Operand<A>::transposed(op.dy), Operand<A>::of(op.x), op.dweight, op.x.rows, {}, op.write);
    if (!op.dbias) return;
    column_sums<T, 1>(
        context, op.dy.rows, op.dy.cols,
        [&](Index n, Index c, auto part, Vec<T>* sums) HONE_SIMD_INLINE { sums[0] += load(op.dy.row(n) + c, part); },
        {op.dbias}, op.write);
  }
};

}  // namespace hone::detail::HONE_SIMD
