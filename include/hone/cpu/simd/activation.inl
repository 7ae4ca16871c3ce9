namespace hone::detail::HONE_SIMD {

/// activation(u) and activation'(u), lane by lane, as exact as storage in A can be.
template <class A, Activation kind>
HONE_SIMD_INLINE inline void activate(Vec<A> u, Vec<A>& value, Vec<A>& derivative) {
  using T = ScalarOf<A>;
  if constexpr (kind == Activation::gelu && std::is_same_v<A, bfloat16>) {
    auto const factors = vector_gelu_factors(u);
    value = u * factors.cdf;
    derivative = factors.density;
  } else if constexpr (kind == Activation::gelu) {
    auto const normal = vector_normal<T>(u);
    value = u * normal.cdf;
    derivative = normal.cdf + u * normal.density;
  } else if constexpr (kind == Activation::gelu_new) {
    // (1 + tanh(w)) / 2 = logistic(2 w)
    Vec<T> const cubic = u * u * T(0.044715);
    Vec<T> const s = vector_logistic<T>(u * T(1.59576912160573071176) * (cubic + T(1)));
    value = u * s;
    derivative = s + value * (T(1) - s) * T(1.59576912160573071176) * (cubic * T(3) + T(1));
  } else {
    value = u > T(0) ? u : Vec<T>{};
    derivative = u > T(0) ? splat(T(1)) : Vec<T>{};
  }
}

/// Calls body(kind) with the kind as a compile-time constant.
template <class Body>
HONE_TARGET void with_activation(Activation kind, Body const& body) {
  switch (kind) {
    case Activation::gelu:
      return body(std::integral_constant<Activation, Activation::gelu>{});
    case Activation::gelu_new:
      return body(std::integral_constant<Activation, Activation::gelu_new>{});
    case Activation::relu:
      return body(std::integral_constant<Activation, Activation::relu>{});
  }
}

template <class P>
struct Kernel<ActivationForward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, ActivationForward<P> const& op) {
    with_activation(op.kind, [&](auto kind) HONE_TARGET {
      context.pool().parallel_for(op.u.rows, 16, [&](Index begin, Index end) HONE_TARGET {
        for (Index n = begin; n < end; ++n) {
          A const* const u = op.u.row(n);
          A* const h = op.h.row(n);
          for_vectors<T>(op.u.cols, [&](Index c, auto part) HONE_SIMD_INLINE {
            Vec<T> value, derivative;
            activate<A, decltype(kind)::value>(load(u + c, part), value, derivative);
            store(h + c, value, part);
          });
        }
      });
    });
  }
};

template <class P>
struct Kernel<ActivationBackward<P>> {
  using A = ActivationOf<P>;
  using T = StatisticOf<P>;
  HONE_TARGET static void run(HostContext& context, ActivationBackward<P> const& op) {
    with_activation(op.kind, [&](auto kind) HONE_TARGET {
      context.pool().parallel_for(op.u.rows, 16, [&](Index begin, Index end) HONE_TARGET {
        for (Index n = begin; n < end; ++n) {
          A const *const u = op.u.row(n), *const dh = op.dh.row(n);
          A* const du = op.du.row(n);
          for_vectors<T>(op.u.cols, [&](Index c, auto part) HONE_SIMD_INLINE {
            Vec<T> value, derivative;
            activate<A, decltype(kind)::value>(load(u + c, part), value, derivative);
            store(du + c, load(dh + c, part) * derivative, part);
          });
        }
      });
    });
  }
};

}  // namespace hone::detail::HONE_SIMD
