#pragma once

#include <cmath>

#include "hone/generic/rung.hpp"
#include "hone/ops/adamw.hpp"

namespace hone {
namespace detail {

template <class P>
struct AdamWElement {
  AdamWStep<P> op;
  HONE_HOST_DEVICE void operator()(Index i) const {
    using std::sqrt;
    using M = MasterOf<P>;
    double const scale = op.gradient_scale[0];
    if (!(scale - scale == 0)) return;  // NaN or infinite: the gradient was not finite
    M const g = op.gradient[i] * M(scale);
    M const decayed = op.weight[i] * M(1 - op.learning_rate * op.weight_decay);
    op.first[i] = M(op.beta1) * op.first[i] + M(1 - op.beta1) * g;
    op.second[i] = M(op.beta2) * op.second[i] + M(1 - op.beta2) * g * g;
    M const denominator = sqrt(op.second[i]) / M(sqrt(op.correction2)) + M(op.epsilon);
    op.weight[i] = decayed - M(op.learning_rate / op.correction1) * op.first[i] / denominator;
    if (op.working) op.working[i] = ActivationOf<P>(op.weight[i]);
  }
};

}  // namespace detail

template <class P>
struct GenericKernel<AdamWStep<P>> {
  template <class Context>
  static void run(Context& context, AdamWStep<P> const& op) {
    context.for_each(op.weight.size, detail::AdamWElement<P>{op});
  }
};

}  // namespace hone
