namespace hone::detail::HONE_SIMD {

/// One pass over weights, gradients and moments. m / (sqrt(v) / c + epsilon) is m c / (sqrt(v) + c epsilon): one division
/// instead of two.
template <class P>
struct Kernel<AdamWStep<P>> {
  using T = MasterOf<P>;
  using V = Vec<T>;
  HONE_TARGET static void run(HostContext& context, AdamWStep<P> const& op) {
    double const scale = op.gradient_scale[0], root_correction = std::sqrt(op.correction2);
    if (!std::isfinite(scale)) return;
    T const gradient_factor = T(scale), decay = T(1 - op.learning_rate * op.weight_decay);
    T const beta1 = T(op.beta1), rest1 = T(1 - op.beta1), beta2 = T(op.beta2), rest2 = T(1 - op.beta2);
    T const epsilon = T(op.epsilon * root_correction), step = T(op.learning_rate / op.correction1 * root_correction);
    UsedRows const rows = epsilon > 0 ? op.rows : UsedRows{};  // without it zeros become 0 / 0
    context.pool().parallel_for(op.weight.size, 1 << 15, [&](Index begin, Index end) HONE_TARGET {
      for_rows(rows, begin, end, [&](Index from, Index to, bool used) HONE_SIMD_INLINE {
        T *const weight = op.weight.data + from, *const first = op.first.data + from, *const second = op.second.data + from;
        T const* const gradient = op.gradient.data + from;
        ActivationOf<P>* const working = op.working ? op.working.data + from : nullptr;
        if (!used) {
          for_vectors<T>(to - from, [&](Index i, auto part) HONE_SIMD_INLINE {
            V const w = load(weight + i, part) * decay;
            store(weight + i, w, part);
            if (working) store(working + i, w, part);
          });
          return;
        }
        for_vectors<T>(to - from, [&](Index i, auto part) HONE_SIMD_INLINE {
          V const g = load(gradient + i, part) * gradient_factor;
          V const m = load(first + i, part) * beta1 + g * rest1;
          V const v = load(second + i, part) * beta2 + g * g * rest2;
          store(first + i, m, part);
          store(second + i, v, part);
          V const w = load(weight + i, part) * decay - m / (vector_sqrt<T>(v) + epsilon) * step;
          store(weight + i, w, part);
          if (working) store(working + i, w, part);
        });
      });
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
