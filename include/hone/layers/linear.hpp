#pragma once

#include <string>

#include "hone/layers/layer.hpp"
#include "hone/ops/dropout.hpp"
#include "hone/ops/linear.hpp"
#include "hone/ops/linear_activation.hpp"
#include "hone/ops/linear_residual.hpp"

namespace hone {

/// What a layer's output joins before a norm: z = residual + dropout(output).
template <Backend B>
struct Residual {
  ConstMatrix<B> residual;
  Dropout dropout;
  RowMap rows;  ///< which tokens the rows are: the key of the mask
};

/// y = x W^T + b
///
/// Shapes: x (N, C), y (N, O), parameters NAME.weight (O, C) and NAME.bias (O). Saved: x (a view).
/// Backward: dx = dy W, dW += dy^T x, db += sum_N dy.
template <Backend B>
class Linear {
  using P = typename B::Precision;

 public:
  struct Cache {
    ConstMatrix<B> x;
  };
  /// Whether the backend has a kernel that does product, dropout and residual at once.
  static constexpr bool joins_residual =
      detail::runs_fused<B, LinearResidualForward<P>, LinearForward<P>, DropoutApply<P>>;

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
    plan_product(plan, rows, output_, input_);
    return {};
  }
  /// Counts what the kernels for y = x W^T and its gradients take, W (outputs, inputs).
  static void plan_product(Plan& plan, Index rows, Index outputs, Index inputs) {
    plan.kernel<B, LinearForward<P>>(rows, outputs, inputs);
    plan.kernel<B, LinearBackwardInput<P>>(rows, outputs, inputs);
    plan.kernel<B, LinearBackwardParameters<P>>(rows, outputs, inputs);
  }

  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const {
    cache.x = x;
    run<B>(pass.context,
           LinearForward<P>{x, pass.parameters.matrix(weight_), pass.parameters.vector(bias_), y,
                            pass.parameters.weights_version()});
  }
  /// u = x W^T + b, h = activation(u); u may be left unwritten where no backward pass follows.
  void forward(Pass<B>& pass, ConstMatrix<B> x, Activation kind, Matrix<B> u, Matrix<B> h, Cache& cache) const {
    using Fused = LinearActivationForward<P>;
    auto const& store = pass.parameters;
    if constexpr (detail::runs_fused<B, Fused, LinearForward<P>, ActivationForward<P>>) {
      cache.x = x;
      run<B>(pass.context, Fused{kind, x, store.matrix(weight_), store.vector(bias_), pass.for_backward ? u : Matrix<B>{},
                                 h, store.weights_version()});
    } else {
      forward(pass, x, u, cache);
      run<B>(pass.context, ActivationForward<P>{kind, u, h});
    }
  }
  /// z = joins.residual + dropout(x W^T + b). Only where `joins_residual`.
  void forward(Pass<B>& pass, ConstMatrix<B> x, Residual<B> const& joins, Matrix<B> z, Cache& cache) const
    requires(joins_residual)
  {
    auto const& store = pass.parameters;
    cache.x = x;
    run<B>(pass.context, LinearResidualForward<P>{x, store.matrix(weight_), store.vector(bias_), joins.residual,
                                                  joins.dropout, joins.rows, z, store.weights_version()});
  }

  /// @param write  whether dx is assigned (the rule) or added to (encoder_block alone, where residuals join);
  ///               an empty dx is not computed
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache, Write write = Write::assign) const {
    backward_parameters(pass, dy, cache);
    auto const& store = pass.parameters;
    if (dx) run<B>(pass.context, LinearBackwardInput<P>{dy, store.matrix(weight_), dx, write, store.weights_version()});
  }
  /// du = (dy W) * activation'(u): through the non-linearity whose output x was.
  void backward(Pass<B>& pass, Matrix<B> dy, Activation kind, Matrix<B> u, Matrix<B> du, Cache& cache) const {
    using Fused = LinearActivationBackwardInput<P>;
    if constexpr (detail::runs_fused<B, Fused, LinearBackwardInput<P>, ActivationBackward<P>>) {
      backward_parameters(pass, dy, cache);
      auto const& store = pass.parameters;
      run<B>(pass.context, Fused{kind, dy, store.matrix(weight_), u, du, store.weights_version()});
    } else {
      backward(pass, dy, du, cache);
      run<B>(pass.context, ActivationBackward<P>{kind, u, du, du});
    }
  }

 private:
  void backward_parameters(Pass<B>& pass, Matrix<B> dy, Cache& cache) const {
    auto& store = pass.parameters;
    if (pass.for_input_alone) return;
    Write const write = store.gradient_write(weight_);
    store.gradient_write(bias_);
    run<B>(pass.context, LinearBackwardParameters<P>{cache.x, dy, store.gradient_matrix(weight_),
                                                     store.gradient_vector(bias_), write});
  }

  Index input_, output_, weight_, bias_;
};

}  // namespace hone
