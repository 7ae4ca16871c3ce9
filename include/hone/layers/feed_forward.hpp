#pragma once

#include <string>

#include "hone/layers/linear.hpp"
#include "hone/ops/activation.hpp"

namespace hone {

/// y = W2 activation(W1 x + b1) + b2
///
/// Shapes: x, y (N, D), inner width F. Parameters INTERMEDIATE.{weight (F, D), bias (F)}, OUTPUT.{weight (D, F), bias (D)}.
/// Saved: x (a view), u = W1 x + b1 and h = activation(u) (N, F). Source: Vaswani et al. 2017, arXiv:1706.03762,
/// section 3.3.
template <Backend B>
class FeedForward {
  using P = typename B::Precision;

 public:
  struct Cache {
    typename Linear<B>::Cache intermediate, output;
    Matrix<B> u, h;
    Matrix<B> dh;  // scratch of backward
  };
  static constexpr bool joins_residual = Linear<B>::joins_residual;

  FeedForward(ParameterStore<B>& store, std::string const& intermediate, std::string const& output, Index width, Index inner,
              Activation kind, double initializer_range)
      : kind_(kind),
        intermediate_(store, intermediate, width, inner, Initializer::normal(initializer_range)),
        output_(store, output, inner, width, Initializer::normal(initializer_range)) {}

  Index input_width() const { return intermediate_.input_width(); }
  Index output_width() const { return output_.output_width(); }
  Cache plan(Plan& plan, Index rows) const {
    Cache cache{};
    cache.u = plan.saved.matrix<ActivationOf<P>>(rows, intermediate_.output_width());
    cache.h = plan.saved.matrix<ActivationOf<P>>(rows, intermediate_.output_width());
    cache.dh = plan.scratch.matrix<ActivationOf<P>>(rows, intermediate_.output_width());
    cache.intermediate = intermediate_.plan(plan, rows);
    cache.output = output_.plan(plan, rows);
    return cache;
  }

  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const {
    intermediate_.forward(pass, x, kind_, cache.u, cache.h, cache.intermediate);
    output_.forward(pass, cache.h, y, cache.output);
  }
  /// z = joins.residual + dropout(f(x)). Only where `joins_residual`.
  void forward(Pass<B>& pass, ConstMatrix<B> x, Residual<B> const& joins, Matrix<B> z, Cache& cache) const
    requires(joins_residual)
  {
    intermediate_.forward(pass, x, kind_, cache.u, cache.h, cache.intermediate);
    output_.forward(pass, cache.h, joins, z, cache.output);
  }
  /// @param write  as in Linear::backward
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache, Write write = Write::assign) const {
    output_.backward(pass, dy, kind_, cache.u, cache.dh, cache.output);
    intermediate_.backward(pass, cache.dh, dx, cache.intermediate, write);
  }

 private:
  Activation kind_;
  Linear<B> intermediate_, output_;
};

}  // namespace hone
