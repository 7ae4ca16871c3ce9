namespace hone::detail::HONE_SIMD {

/// For `mixed` alone, whose kernels for tiles do it at once; in other precisions the norm joins the residual as it reads.
template <class P>
  requires(std::is_same_v<P, mixed>)
struct Kernel<LinearResidualForward<P>> {
  HONE_TARGET static void run(HostContext& context, LinearResidualForward<mixed> const& op) {
    Kernel<LinearForward<mixed>>::run(context, {op.x, op.weight, op.bias, op.z, op.weight_version});
    bool const drops = op.dropout.active();
    Index const width = op.z.cols;
    context.pool().parallel_for(op.z.rows, 16, [&](Index begin, Index end) HONE_TARGET {
      float* const factors = scratch<float>(Scratch::tile, dropout_factors_room(width));
      for (Index n = begin; n < end; ++n) {
        if (drops) dropout_factors(op.dropout, op.rows.position[n], op.rows.example(n), width, factors);
        bfloat16* const z = op.z.row(n);
        bfloat16 const* const residual = op.residual.row(n);
        for_vectors<float>(width, [&](Index c, auto part) HONE_SIMD_INLINE {
          Vec<float> value = load(z + c, part);
          if (drops) value *= load(factors + c, part);
          store(z + c, value + load(residual + c, part), part);
        });
      }
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
