namespace hone::detail::HONE_SIMD {

/// Keeps u, where it is wanted, and stores activation(u).
template <class A>
struct StoreActivated {
  Activation kind;
  MatrixView<A> u, h;

  HONE_TARGET static void run(void const* of, Index row, Index column, ScalarOf<A> const* tile, Index rows, Index cols) {
    auto const& to = *static_cast<StoreActivated const*>(of);
    with_activation(to.kind, [&](auto kind) HONE_TARGET {
      for (Index r = 0; r < rows; ++r)
        for_vectors<ScalarOf<A>>(cols, [&](Index c, auto part) HONE_SIMD_INLINE {
          Vec<A> const value = load(tile + r * TileShape::cols<ScalarOf<A>> + c, part);
          Vec<A> activated, derivative;
          if (to.u) store(to.u.row(row + r) + column + c, value, part);
          activate<A, decltype(kind)::value>(value, activated, derivative);
          store(to.h.row(row + r) + column + c, activated, part);
        });
    });
  }
};

/// Stores dh * activation'(u).
template <class A>
struct StoreThroughActivation {
  Activation kind;
  MatrixView<A const> u;
  MatrixView<A> du;

  HONE_TARGET static void run(void const* of, Index row, Index column, ScalarOf<A> const* tile, Index rows, Index cols) {
    auto const& to = *static_cast<StoreThroughActivation const*>(of);
    with_activation(to.kind, [&](auto kind) HONE_TARGET {
      for (Index r = 0; r < rows; ++r)
        for_vectors<ScalarOf<A>>(cols, [&](Index c, auto part) HONE_SIMD_INLINE {
          Vec<A> activated, derivative;
          activate<A, decltype(kind)::value>(load(to.u.row(row + r) + column + c, part), activated, derivative);
          Vec<A> const value = load(tile + r * TileShape::cols<ScalarOf<A>> + c, part);
          store(to.du.row(row + r) + column + c, value * derivative, part);
        });
    });
  }
};

template <class P>
struct Kernel<LinearActivationForward<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearActivationForward<P> const& op) {
    StoreActivated<A> const stored{op.kind, op.u, op.h};
    TileFinish<ScalarOf<A>, A> const finish{StoreActivated<A>::run, &stored};
    gemm(context, op.x, weight_panels<ScalarOf<A>>(context, op.weight, WeightForm::forward, op.x.rows, op.weight_version),
         op.h, op.bias, Write::assign, &finish);  // unfinished sums wait in h
  }
};

template <class P>
struct Kernel<LinearActivationBackwardInput<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearActivationBackwardInput<P> const& op) {
    StoreThroughActivation<A> const stored{op.kind, op.u, op.du};
    TileFinish<ScalarOf<A>, A> const finish{StoreThroughActivation<A>::run, &stored, op.u};
    gemm(context, op.dy,
         weight_panels<ScalarOf<A>>(context, op.weight, WeightForm::input_gradient, op.dy.rows, op.weight_version), op.du,
         {}, Write::assign, &finish);
  }
};

}  // namespace hone::detail::HONE_SIMD
