// The AdamW step whose kernels are compared.
#pragma once

#include <cmath>

#include "hone/ops/adamw.hpp"

namespace hone::test {

/// The third step of a training: no correction of the moments is near 1.
template <class P>
AdamWStep<P> third_adamw_step(VectorView<MasterOf<P>> weight, VectorView<MasterOf<P> const> gradient,
                              VectorView<MasterOf<P>> first, VectorView<MasterOf<P>> second, double const& gradient_scale,
                              VectorView<ActivationOf<P>> working = {}) {
  AdamWStep<P> step{};
  step.weight = weight;
  step.gradient = gradient;
  step.first = first;
  step.second = second;
  step.gradient_scale = {&gradient_scale, 1};
  step.learning_rate = 1e-2;
  step.weight_decay = 0.01;
  step.beta1 = 0.9;
  step.beta2 = 0.999;
  step.epsilon = 1e-8;
  step.correction1 = 1 - std::pow(step.beta1, 3);
  step.correction2 = 1 - std::pow(step.beta2, 3);
  step.working = working;
  return step;
}

}  // namespace hone::test
