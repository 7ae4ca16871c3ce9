namespace hone::detail::HONE_SIMD {

/// One pass over weights, gradients and moments.
template <class P>
struct Kernel<AdamWStep<P>> {
  using T = MasterOf<P>;
  using V = Vec<T>;
  HONE_TARGET static void run(HostContext& context, AdamWStep<P> const& op) {
    double const scale = op.gradient_scale[0];
    if (!std::isfinite(scale)) return;
    T const gradient_factor = T(scale), decay = T(1 - op.learning_rate * op.weight_decay), epsilon = T(op.epsilon);
    T const beta1 = T(op.beta1), rest1 = T(1 - op.beta1), beta2 = T(op.beta2), rest2 = T(1 - op.beta2);
    T const root_correction = T(std::sqrt(op.correction2)), step = T(op.learning_rate / op.correction1);
    context.pool().parallel_for(op.weight.size, 1 << 15, [&](Index begin, Index end) HONE_TARGET {
      T *const weight = op.weight.data + begin, *const first = op.first.data + begin, *const second = op.second.data + begin;
      T const* const gradient = op.gradient.data + begin;
      ActivationOf<P>* const working = op.working ? op.working.data + begin : nullptr;
      for_vectors<T>(end - begin, [&](Index i, auto part) HONE_SIMD_INLINE {
        V const g = load(gradient + i, part) * gradient_factor;
        V const m = load(first + i, part) * beta1 + g * rest1;
        V const v = load(second + i, part) * beta2 + g * g * rest2;
        V const denominator = vector_sqrt<T>(v) / root_correction + epsilon;
        store(first + i, m, part);
        store(second + i, v, part);
        V const w = load(weight + i, part) * decay - m / denominator * step;
        store(weight + i, w, part);
        if (working) store(working + i, w, part);
      });
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
