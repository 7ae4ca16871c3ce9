#pragma once

#include <string>

#include "hone/layers/linear.hpp"
#include "hone/ops/residual_norm.hpp"

namespace hone {

/// y = layer_norm(residual + dropout(x)): the end of each half of a post-norm block; without residual, LayerNorm.
///
/// Shapes: x, residual, y (N, D), parameters NAME.weight (gamma) and NAME.bias (beta) (D). Saved: z = residual +
/// dropout(x) (N, D), mean and rstd (N). Backward: see ops/residual_norm.hpp.
template <Backend B>
class ResidualNorm {
  using P = typename B::Precision;

 public:
  struct Cache {
    Matrix<B> z;
    VectorView<StatisticOf<P>> mean, rstd;
    Dropout dropout;
    RowMap rows;
  };

  ResidualNorm(ParameterStore<B>& store, std::string const& name, Index width, double epsilon)
      : width_(width),
        epsilon_(epsilon),
        gamma_(store.add(name + ".weight", {width}, ParameterKind::norm_weight, Initializer::constant(1))),
        beta_(store.add(name + ".bias", {width}, ParameterKind::norm_bias, Initializer::constant(0))) {}

  Index input_width() const { return width_; }
  Index output_width() const { return width_; }
  Cache plan(Plan& plan, Index rows) const {
    Cache cache{};
    cache.z = plan.saved.matrix<ActivationOf<P>>(rows, width_);
    cache.mean = plan.saved.vector<StatisticOf<P>>(rows);
    cache.rstd = plan.saved.vector<StatisticOf<P>>(rows);
    plan.kernel<B, ResidualNormBackward<P>>(rows, width_);
    return cache;
  }

  /// @param residual  may be empty  @param rows  which tokens the rows are: the key of the mask
  void forward(Pass<B>& pass, ConstMatrix<B> x, ConstMatrix<B> residual, Dropout const& dropout, RowMap const& rows,
               Matrix<B> y, Cache& cache) const {
    cache.dropout = dropout;
    cache.rows = rows;
    run<B>(pass.context,
           ResidualNormForward<P>{x, residual, dropout, rows, pass.parameters.vector(gamma_), pass.parameters.vector(beta_),
                                  epsilon_, cache.z, y, cache.mean, cache.rstd});
  }
  /// y = layer_norm(cache.z), where z = joins.residual + dropout(x) is there already.
  void forward(Pass<B>& pass, Residual<B> const& joins, Matrix<B> y, Cache& cache) const {
    forward(pass, cache.z, {}, {}, {}, y, cache);
    cache.dropout = joins.dropout;
    cache.rows = joins.rows;
  }
  /// LayerNorm: no residual, no dropout.
  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const { forward(pass, x, {}, {}, {}, y, cache); }

  /// @param dz  the residual's gradient (may be dy)  @param dx  the gradient of x (may be dz where nothing is dropped; may
  /// be empty)
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dz, Matrix<B> dx, Cache& cache) const {
    auto& store = pass.parameters;
    Write const write = store.gradient_write(gamma_);
    store.gradient_write(beta_);
    run<B>(pass.context,
           ResidualNormBackward<P>{dy, cache.z, cache.mean, cache.rstd, store.vector(gamma_), cache.dropout, cache.rows, dz,
                                   dx, store.gradient_vector(gamma_), store.gradient_vector(beta_), write});
  }
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache) const { backward(pass, dy, dx, {}, cache); }

 private:
  Index width_;
  double epsilon_;
  Index gamma_, beta_;
};

/// y = gamma * (x - mean) / sqrt(variance + epsilon) + beta. Ba et al. 2016, arXiv:1607.06450, section 3.1.
template <Backend B>
using LayerNorm = ResidualNorm<B>;

}  // namespace hone
