#pragma once

#include <string>

#include "hone/layers/layer.hpp"
#include "hone/ops/linear.hpp"

namespace hone {

/// y = x W^T + b
///
/// Shapes: x (N, C), y (N, O), parameters NAME.weight (O, C) and NAME.bias (O). Saved: x (a view).
/// Backward: dx = dy W, dW += dy^T x, db += sum_N dy.
template <Backend B>
class Linear {
 public:
  struct Cache {
    ConstMatrix<B> x;
  };

  /// Declares NAME.weight with `initializer` and NAME.bias with `bias_initializer`.
  Linear(ParameterStore<B>& store, std::string const& name, Index input, Index output, Initializer initializer,
         Initializer bias_initializer = Initializer::constant(0))
      : input_(input),
        output_(output),
        weight_(store.add(name + ".weight", {output, input}, ParameterKind::weight, initializer)),
        bias_(store.add(name + ".bias", {output}, ParameterKind::bias, bias_initializer)) {}

  Index input_width() const { return input_; }
  Index output_width() const { return output_; }
  Cache plan(Plan& plan, Index rows) const {
    plan.kernel<B, LinearBackwardParameters<typename B::Precision>>(rows, output_);
    return {};
  }

  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const {
    cache.x = x;
    run<B>(pass.context,
           LinearForward<typename B::Precision>{x, pass.parameters.matrix(weight_), pass.parameters.vector(bias_), y});
  }

  /// @param write  whether dx is assigned (the rule) or added to (encoder_block alone, where residuals join);
  ///               an empty dx is not computed
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache, Write write = Write::assign) const {
    using P = typename B::Precision;
    auto& store = pass.parameters;
    if (!pass.for_input_alone) {
      Write const gradient_write = store.gradient_write(weight_);
      store.gradient_write(bias_);
      run<B>(pass.context, LinearBackwardParameters<P>{cache.x, dy, store.gradient_matrix(weight_),
                                                       store.gradient_vector(bias_), gradient_write});
    }
    if (dx) run<B>(pass.context, LinearBackwardInput<P>{dy, store.matrix(weight_), dx, write});
  }

 private:
  Index input_, output_, weight_, bias_;
};

}  // namespace hone
