namespace hone::detail::HONE_SIMD {

/// A weight (O, C) packed as the right operand of y = x W^T (forward) or dx = dy W.
///
/// It is kept for as long as its version lasts where there are few rows, so that packing would take a large part of the
/// product's time: texts that are rated one by one. Where there are many, as in a training step, packing is a hundredth of
/// the work, and the memory is better saved.
template <class T, class A>
HONE_TARGET Panels<T> weight_panels(HostContext& context, MatrixView<A const> weight, WeightForm form, Index rows,
                                    std::uint64_t version) {
  constexpr Index few_rows = 1024;
  bool const forward = form == WeightForm::forward;
  Index const inner = forward ? weight.cols : weight.rows;
  Panels<T> panels{inner, forward ? weight.rows : weight.cols,
                   std::is_same_v<A, T> ? Index{TileShape::depth} : std::max<Index>(inner, 1)};
  Operand<A> const b = forward ? Operand<A>::transposed(weight) : Operand<A>::of(weight);
  auto const pack = [&](T* to) HONE_TARGET { panels.pack(context, b, to); };
  if (version != 0 && rows <= few_rows) {
    constexpr auto format = vector_bytes == 64   ? WeightFormat::panels_512
                            : vector_bytes == 32 ? WeightFormat::panels_256
                                                 : WeightFormat::panels_128;
    panels.data = context.kept<PackedWeights>().packed<T>(weight, form, format, version, panels.values(), pack);
  } else {
    T* const memory = scratch<T>(Scratch::shared_panels, panels.values());
    pack(memory);
    panels.data = memory;
  }
  return panels;
}

template <class P>
struct Kernel<LinearForward<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearForward<P> const& op) {
    gemm(context, op.x, weight_panels<ScalarOf<A>>(context, op.weight, WeightForm::forward, op.x.rows, op.weight_version),
         op.y, op.bias, Write::assign);
  }
};

template <class P>
struct Kernel<LinearBackwardInput<P>> {
  using A = ActivationOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearBackwardInput<P> const& op) {
    gemm(context, op.dy,
         weight_panels<ScalarOf<A>>(context, op.weight, WeightForm::input_gradient, op.dy.rows, op.weight_version), op.dx,
         {}, op.write);
  }
};

template <class P>
struct Kernel<LinearBackwardParameters<P>> {
  using A = ActivationOf<P>;
  using T = MasterOf<P>;
  HONE_TARGET static void run(HostContext& context, LinearBackwardParameters<P> const& op) {
    gemm_of_columns<T>(context, op.dy, op.x, op.dweight, op.dbias, op.write);
  }
};

}  // namespace hone::detail::HONE_SIMD
