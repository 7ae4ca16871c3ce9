#pragma once

#include <string>

#include "hone/layers/feed_forward.hpp"
#include "hone/layers/residual_norm.hpp"
#include "hone/layers/self_attention.hpp"
#include "hone/ops/dropout.hpp"
#include "hone/ops/rows.hpp"

namespace hone {

/// What an encoder block consists of.
struct EncoderBlockShape {
  Index width, heads, inner;  ///< D, H, F
  Activation activation = Activation::gelu;
  double epsilon = 1e-12, dropout = 0.1, attention_dropout = 0.1, initializer_range = 0.02;
};

/// One post-norm encoder block:
///   a = layer_norm(x + dropout(self_attention(x))),  y = layer_norm(a + dropout(feed_forward(a)))
///
/// Shapes: x (N, D), y (M, D); M = N, or M = B where nobody reads more than the first row of each sequence: then the
/// query, the projection, the feed-forward and their gradients run on B rows. Saved: what the parts save, and a.
/// Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.1; names and constants of Devlin et al. 2019, arXiv:1810.04805.
template <Backend B>
class EncoderBlock {
  using P = typename B::Precision;
  using A = ActivationOf<P>;

 public:
  struct Cache {
    typename SelfAttention<B>::Cache attention;
    typename ResidualNorm<B>::Cache attention_norm, output_norm;
    typename FeedForward<B>::Cache feed_forward;
    Matrix<B> x_first;  ///< (B, D) with M = B: the first rows of x
    Matrix<B> a;        ///< (M, D)
    Matrix<B> t;        ///< (M, D) scratch: what enters a norm, and the gradient of that
  };

  /// @param name   prefix of the parameters: bert.encoder.layer.3
  /// @param layer  the block's number: part of the key of its random masks
  EncoderBlock(ParameterStore<B>& store, std::string const& name, EncoderBlockShape const& shape, Index layer)
      : shape_(shape),
        layer_(layer),
        attention_(store, name + ".attention", shape.width, shape.heads, layer, shape.attention_dropout,
                   shape.initializer_range),
        attention_norm_(store, name + ".attention.output.LayerNorm", shape.width, shape.epsilon),
        feed_forward_(store, name + ".intermediate.dense", name + ".output.dense", shape.width, shape.inner,
                      shape.activation, shape.initializer_range),
        output_norm_(store, name + ".output.LayerNorm", shape.width, shape.epsilon) {}

  Index input_width() const { return shape_.width; }
  Index output_width() const { return shape_.width; }

  Cache plan(Plan& plan, Index rows) const { return this->plan(plan, rows, rows); }
  /// @param outputs  M: N, or B when only first rows are read
  Cache plan(Plan& plan, Index rows, Index outputs) const {
    Cache cache{};
    if (rows != outputs) cache.x_first = plan.saved.matrix<A>(outputs, shape_.width);
    cache.a = plan.saved.matrix<A>(outputs, shape_.width);
    cache.t = plan.scratch.matrix<A>(outputs, shape_.width);
    std::size_t const mark = plan.scratch.mark();
    cache.attention = attention_.plan(plan, rows, outputs);
    plan.scratch.rewind(mark);  // the two halves run one after the other
    cache.feed_forward = feed_forward_.plan(plan, outputs);
    cache.attention_norm = attention_norm_.plan(plan, outputs);
    cache.output_norm = output_norm_.plan(plan, outputs);
    return cache;
  }

  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const {
    ConstMatrix<B> asking = x;
    if (cache.x_first) {
      run<B>(pass.context, GatherRows<P>{x, pass.batch.first_rows, cache.x_first});
      asking = cache.x_first;
    }
    RowMap const& rows = cache.x_first ? pass.batch.first_row_map : pass.batch.row_map;
    Residual<B> const first{asking, pass.dropout.site(DropoutSite::attention_output, layer_, shape_.dropout), rows};
    Residual<B> const second{cache.a, pass.dropout.site(DropoutSite::feed_forward, layer_, shape_.dropout), rows};
    if constexpr (Linear<B>::joins_residual) {
      attention_.forward(pass, x, asking, first, cache.attention_norm.z, cache.attention);
      attention_norm_.forward(pass, first, cache.a, cache.attention_norm);
      feed_forward_.forward(pass, cache.a, second, cache.output_norm.z, cache.feed_forward);
      output_norm_.forward(pass, second, y, cache.output_norm);
    } else {
      attention_.forward(pass, x, asking, cache.t, cache.attention);
      attention_norm_.forward(pass, cache.t, first.residual, first.dropout, rows, cache.a, cache.attention_norm);
      feed_forward_.forward(pass, cache.a, cache.t, cache.feed_forward);
      output_norm_.forward(pass, cache.t, second.residual, second.dropout, rows, y, cache.output_norm);
    }
  }

  /// Residual gradients join here, and here alone: in dy's memory, which is used up. dx may be dy where M = N.
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache) const {
    Matrix<B> const dz = dy;
    output_norm_.backward(pass, dy, dz, cache.t, cache.output_norm);  // dz: gradient of a's residual path
    feed_forward_.backward(pass, cache.t, dz, cache.feed_forward, Write::add);                   // dz: gradient of a
    attention_norm_.backward(pass, dz, dz, cache.t, cache.attention_norm);  // dz: gradient of x's residual path
    if (cache.x_first) {
      attention_.backward(pass, cache.t, dx, dz, cache.attention, Write::assign);
      run<B>(pass.context, ScatterAddRows<P>{dz, pass.batch.first_rows, dx});
    } else {
      attention_.backward(pass, cache.t, dz, {}, cache.attention, Write::add);
      if (dx.data != dz.data) run<B>(pass.context, DropoutCopy{dz, {}, {}, dx});
    }
  }

 private:
  using DropoutCopy = DropoutApply<P>;  // with nothing dropped: a copy

  EncoderBlockShape shape_;
  Index layer_;
  SelfAttention<B> attention_;
  ResidualNorm<B> attention_norm_;
  FeedForward<B> feed_forward_;
  ResidualNorm<B> output_norm_;
};

}  // namespace hone
