#pragma once

#include "hone/layers/layer.hpp"
#include "hone/ops/dropout.hpp"

namespace hone {

/// y = mask * x / (1 - p) in training, y = x otherwise. Nothing is saved but the key.
///
/// Shapes: x, y (N, D). Rows are the batch's tokens, or, with one row a sequence, its first tokens.
/// Source: Srivastava et al. 2014, JMLR 15, section 4.
template <Backend B>
class DropoutLayer {
  using P = typename B::Precision;

 public:
  struct Cache {
    Dropout dropout;
  };

  /// @param site, layer  which mask of the model this is  @param p  probability of dropping, in [0, 1)
  DropoutLayer(Index width, DropoutSite site, Index layer, double p) : width_(width), site_(site), layer_(layer), p_(p) {}

  Index input_width() const { return width_; }
  Index output_width() const { return width_; }
  Cache plan(Plan&, Index) const { return {}; }

  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const {
    cache.dropout = pass.dropout.site(site_, layer_, p_);
    run<B>(pass.context, DropoutApply<P>{x, cache.dropout, rows(pass, x.rows), y});
  }
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache) const {
    run<B>(pass.context, DropoutApply<P>{dy, cache.dropout, rows(pass, dy.rows), dx});
  }

 private:
  static RowMap rows(Pass<B>& pass, Index count) {
    return count == pass.batch.rows ? pass.batch.row_map : pass.batch.first_row_map;
  }

  Index width_;
  DropoutSite site_;
  Index layer_;
  double p_;
};

}  // namespace hone
