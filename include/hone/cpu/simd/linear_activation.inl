namespace hone::detail::HONE_SIMD {

/// Keeps u, where it is wanted, and stores activation(u).
template <class A, Activation kind>
struct StoreActivated {
  MatrixView<A> u, h;
  template <class Part>
  HONE_SIMD_INLINE void operator()(Index row, Index column, Vec<A> value, Part part) const {
    Vec<A> activated, derivative;
    if (u) store(u.row(row) + column, value, part);
    activate<A, kind>(value, activated, derivative);
    store(h.row(row) + column, activated, part);
  }
};

/// Stores dh * activation'(u).
template <class A, Activation kind>
struct StoreThroughActivation {
  MatrixView<A const> u;
  MatrixView<A> du;
  template <class Part>
  HONE_SIMD_INLINE void operator()(Index row, Index column, Vec<A> value, Part part) const {
    Vec<A> activated, derivative;
    activate<A, kind>(load(u.row(row) + column, part), activated, derivative);
    store(du.row(row) + column, value * derivative, part);
  }
};

template <class P>
struct Kernel<LinearActivationForward<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearActivationForward<P> const& op) {
    with_activation(op.kind, [&](auto kind) HONE_TARGET {  // unfinished sums wait in h
      gemm<ScalarOf<A>>(context, Operand<A>::of(op.x), Operand<A>::transposed(op.weight), op.h, op.x.cols, op.bias,
                        Write::assign, StoreActivated<A, decltype(kind)::value>{op.u, op.h});
    });
  }
};

template <class P>
struct Kernel<LinearActivationBackwardInput<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearActivationBackwardInput<P> const& op) {
    with_activation(op.kind, [&](auto kind) HONE_TARGET {
      gemm<ScalarOf<A>>(context, Operand<A>::of(op.dy), Operand<A>::of(op.weight), op.du, op.dy.cols, {}, Write::assign,
                        StoreThroughActivation<A, decltype(kind)::value>{op.u, op.du});
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
