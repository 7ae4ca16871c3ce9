#pragma once

#include <cmath>

#include "hone/ops/adamw.hpp"
#include "hone/thrust/algorithms.hpp"
#include "hone/thrust/rung.hpp"

namespace hone {
namespace detail {

/// One parameter; what is the same for all of them is computed once, on the host.
template <class P>
struct AdamWParameter {
  using M = MasterOf<P>;
  VectorView<M> weight;
  VectorView<M const> gradient;
  VectorView<M> first, second;
  VectorView<ActivationOf<P>> working;
  double const* gradient_scale;
  M decay, beta1, rest1, beta2, rest2, root_correction, epsilon, step;

  explicit AdamWParameter(AdamWStep<P> const& op)
      : weight(op.weight),
        gradient(op.gradient),
        first(op.first),
        second(op.second),
        working(op.working),
        gradient_scale(op.gradient_scale.data),
        decay(M(1 - op.learning_rate * op.weight_decay)),
        beta1(M(op.beta1)),
        rest1(M(1 - op.beta1)),
        beta2(M(op.beta2)),
        rest2(M(1 - op.beta2)),
        root_correction(M(std::sqrt(op.correction2))),
        epsilon(M(op.epsilon)),
        step(M(op.learning_rate / op.correction1)) {}

  HONE_HOST_DEVICE void operator()(Index i) const {
    using std::sqrt;
    double const scale = *gradient_scale;
    if (!(scale - scale == 0)) return;  // NaN or infinite: the gradient was not finite
    M const g = gradient[i] * M(scale);
    M const m = beta1 * first[i] + rest1 * g;
    M const v = beta2 * second[i] + rest2 * g * g;
    M const w = weight[i] * decay - step * m / (sqrt(v) / root_correction + epsilon);
    first[i] = m;
    second[i] = v;
    weight[i] = w;
    if (working) working[i] = ActivationOf<P>(w);
  }
};

}  // namespace detail

/// One pass over the flat buffers; the factor of the gradients is read where the memory is.
template <class P>
struct ThrustKernel<AdamWStep<P>> {
  template <class Context>
  static void run(Context& context, AdamWStep<P> const& op) {
    detail::thrust_each(context.policy(), op.weight.size, detail::AdamWParameter<P>(op));
  }
};

}  // namespace hone
