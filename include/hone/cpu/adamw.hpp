#pragma once

#include <cmath>

#include "hone/core/host_context.hpp"
#include "hone/cpu/rung.hpp"
#include "hone/cpu/vector_math.hpp"
#include "hone/ops/adamw.hpp"

namespace hone {

/// One pass over weights, gradients and moments.
template <class P>
struct CpuKernel<AdamWStep<P>> {
  using T = MasterOf<P>;
  using V = detail::Vec<T>;
  static void run(HostContext& context, AdamWStep<P> const& op) {
    double const scale = op.gradient_scale[0];
    if (!std::isfinite(scale)) return;
    T const gradient_factor = T(scale), decay = T(1 - op.learning_rate * op.weight_decay), epsilon = T(op.epsilon);
    T const beta1 = T(op.beta1), rest1 = T(1 - op.beta1), beta2 = T(op.beta2), rest2 = T(1 - op.beta2);
    T const root_correction = T(std::sqrt(op.correction2)), step = T(op.learning_rate / op.correction1);
    context.pool().parallel_for(op.weight.size, 1 << 15, [&](Index begin, Index end) {
      T *const weight = op.weight.data + begin, *const first = op.first.data + begin, *const second = op.second.data + begin;
      T const* const gradient = op.gradient.data + begin;
      detail::for_vectors<T>(end - begin, [&](Index i, auto part) HONE_ALWAYS_INLINE {
        V const g = detail::load(gradient + i, part) * gradient_factor;
        V const m = detail::load(first + i, part) * beta1 + g * rest1;
        V const v = detail::load(second + i, part) * beta2 + g * g * rest2;
        V const denominator = detail::vector_sqrt<T>(v) / root_correction + epsilon;
        detail::store<T>(first + i, m, part);
        detail::store<T>(second + i, v, part);
        detail::store<T>(weight + i, detail::load(weight + i, part) * decay - m / denominator * step, part);
      });
    });
  }
};

}  // namespace hone
