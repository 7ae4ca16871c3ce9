#pragma once

#include <array>
#include <cmath>
#include <string>

#include "hone/layers/linear.hpp"
#include "hone/ops/attention.hpp"

namespace hone {

/// Multi-head self-attention with its output projection: y = W_o attention(W_q x, W_k x, W_v x) + b_o.
///
/// Shapes: x (N, D), y (M, D), H heads of E = D / H. M = N, or M = B: queries for the first token of each sequence alone,
/// for a last block of which only those are read. Parameters NAME.self.{query,key,value}.{weight (D, D), bias (D)} and
/// NAME.output.dense.{weight (D, D), bias (D)}. The three projections are neighbours in memory: one product.
/// Saved: x (a view), q, k, v, the attention's output, lse (M, H).
/// Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2; dropout on the probabilities as in Devlin et al. 2019.
template <Backend B>
class SelfAttention {
  using P = typename B::Precision;
  using A = ActivationOf<P>;

 public:
  static constexpr bool joins_residual = Linear<B>::joins_residual;
  struct Cache {
    ConstMatrix<B> x, x_query;  ///< all rows, and the rows that ask
    Matrix<B> qkv;              ///< (N, 3D); with M = B the first D columns are unused
    Matrix<B> q;                ///< (M, D): columns of qkv, or rows of their own
    Matrix<B> y;                ///< (M, D), before the projection
    MatrixView<StatisticOf<P>> lse;
    Dropout dropout;
    typename Linear<B>::Cache output;
    // scratch of backward
    Matrix<B> dy, dqkv, dq;
    MatrixView<StatisticOf<P>> delta;
  };

  /// @param layer    the block's number: part of the key of its random masks
  /// @param dropout  probability of dropping an attention probability
  SelfAttention(ParameterStore<B>& store, std::string const& name, Index width, Index heads, Index layer, double dropout,
                double initializer_range)
      : width_(width),
        heads_(heads),
        layer_(layer),
        dropout_(dropout),
        weight_(
            triple(store, name, ".weight", {width, width}, ParameterKind::weight, Initializer::normal(initializer_range))),
        bias_(triple(store, name, ".bias", {width}, ParameterKind::bias, Initializer::constant(0))),
        output_(store, name + ".output.dense", width, width, Initializer::normal(initializer_range)) {}

  Index input_width() const { return width_; }
  Index output_width() const { return width_; }

  Cache plan(Plan& plan, Index rows) const { return this->plan(plan, rows, rows); }
  /// @param queries  M: N, or B when only first rows ask
  Cache plan(Plan& plan, Index rows, Index queries) const {
    Cache cache{};
    bool const all = rows == queries;
    cache.qkv = plan.saved.matrix<A>(rows, 3 * width_);
    cache.q = all ? cache.qkv.column_block(0, width_) : plan.saved.matrix<A>(queries, width_);
    cache.y = plan.saved.matrix<A>(queries, width_);
    cache.lse = plan.saved.matrix<StatisticOf<P>>(queries, heads_);
    cache.dy = plan.scratch.matrix<A>(queries, width_);
    cache.dqkv = plan.scratch.matrix<A>(rows, 3 * width_);
    cache.dq = all ? cache.dqkv.column_block(0, width_) : plan.scratch.matrix<A>(queries, width_);
    cache.delta = plan.scratch.matrix<StatisticOf<P>>(queries, heads_);
    cache.output = output_.plan(plan, queries);
    if (all) {
      Linear<B>::plan_product(plan, rows, 3 * width_, width_);
    } else {
      Linear<B>::plan_product(plan, rows, 2 * width_, width_);
      Linear<B>::plan_product(plan, queries, width_, width_);
    }
    plan.kernel<B, AttentionForward<P>>(rows, width_, heads_);
    plan.kernel<B, AttentionBackward<P>>(rows, width_, heads_);
    return cache;
  }

  void forward(Pass<B>& pass, ConstMatrix<B> x, Matrix<B> y, Cache& cache) const { forward(pass, x, x, y, cache); }
  /// @param x_query  the rows that ask: x itself, or the first row of each sequence
  void forward(Pass<B>& pass, ConstMatrix<B> x, ConstMatrix<B> x_query, Matrix<B> y, Cache& cache) const {
    attend(pass, x, x_query, cache);
    output_.forward(pass, cache.y, y, cache.output);
  }
  /// z = joins.residual + dropout(y). Only where `joins_residual`.
  void forward(Pass<B>& pass, ConstMatrix<B> x, ConstMatrix<B> x_query, Residual<B> const& joins, Matrix<B> z,
               Cache& cache) const
    requires(joins_residual)
  {
    attend(pass, x, x_query, cache);
    output_.forward(pass, cache.y, joins, z, cache.output);
  }

  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Cache& cache) const {
    backward(pass, dy, dx, {}, cache, Write::assign);
  }
  /// @param dx        (N, D) the gradient of x, assigned or added to
  /// @param dx_query  (M, D) with M = B: the gradient of x_query, added to; unused with M = N
  void backward(Pass<B>& pass, Matrix<B> dy, Matrix<B> dx, Matrix<B> dx_query, Cache& cache, Write write) const {
    output_.backward(pass, dy, cache.dy, cache.output);
    run<B>(pass.context,
           AttentionBackward<P>{cache.q, cache.qkv.column_block(width_, width_), cache.qkv.column_block(2 * width_, width_),
                                cache.y, cache.dy, cache.lse, query_offsets(pass, cache), pass.batch.offsets, heads_,
                                scale(), cache.dropout, pass.batch.row_map.first_example, cache.delta, cache.dq,
                                cache.dqkv.column_block(width_, width_), cache.dqkv.column_block(2 * width_, width_)});
    if (all(cache)) {
      project_backward(pass, cache.x, cache.dqkv, 0, 3, dx, write);
    } else {
      project_backward(pass, cache.x, cache.dqkv.column_block(width_, 2 * width_), 1, 2, dx, write);
      project_backward(pass, cache.x_query, cache.dq, 0, 1, dx_query, Write::add);
    }
  }

 private:
  /// Everything before the output projection.
  void attend(Pass<B>& pass, ConstMatrix<B> x, ConstMatrix<B> x_query, Cache& cache) const {
    cache.x = x;
    cache.x_query = x_query;
    cache.dropout = pass.dropout.site(DropoutSite::attention, layer_, dropout_);
    std::uint64_t const version = pass.parameters.weights_version();
    if (all(cache)) {
      run<B>(pass.context, LinearForward<P>{x, weights(pass, 0, 3), biases(pass, 0, 3), cache.qkv, version});
    } else {
      run<B>(pass.context,
             LinearForward<P>{x, weights(pass, 1, 2), biases(pass, 1, 2), cache.qkv.column_block(width_, 2 * width_),
                              version});
      run<B>(pass.context, LinearForward<P>{x_query, weights(pass, 0, 1), biases(pass, 0, 1), cache.q, version});
    }
    run<B>(pass.context,
           AttentionForward<P>{cache.q, cache.qkv.column_block(width_, width_), cache.qkv.column_block(2 * width_, width_),
                               query_offsets(pass, cache), pass.batch.offsets, heads_, scale(), cache.dropout,
                               pass.batch.row_map.first_example, cache.y, cache.lse});
  }

  static std::array<Index, 3> triple(ParameterStore<B>& store, std::string const& name, char const* suffix,
                                     std::vector<Index> shape, ParameterKind kind, Initializer initializer) {
    Index const query = store.add(name + ".self.query" + suffix, shape, kind, initializer);
    Index const key = store.add_neighbour(name + ".self.key" + suffix, shape, kind, initializer);
    return {query, key, store.add_neighbour(name + ".self.value" + suffix, shape, kind, initializer)};
  }

  static bool all(Cache const& cache) { return cache.q.data == cache.qkv.data; }
  static VectorView<std::int32_t const> query_offsets(Pass<B> const& pass, Cache const& cache) {
    return all(cache) ? pass.batch.offsets : pass.batch.first_offsets;
  }
  double scale() const { return 1.0 / std::sqrt(static_cast<double>(width_ / heads_)); }

  /// `count` of the three projections from `first` (query, key, value) on, as one matrix.
  ConstMatrix<B> weights(Pass<B>& pass, std::size_t first, Index count) const {
    return {pass.parameters.matrix(weight_[first]).data, count * width_, width_};
  }
  VectorView<A const> biases(Pass<B>& pass, std::size_t first, Index count) const {
    return {pass.parameters.vector(bias_[first]).data, count * width_};
  }
  void project_backward(Pass<B>& pass, ConstMatrix<B> x, ConstMatrix<B> dy, std::size_t first, Index count, Matrix<B> dx,
                        Write write) const {
    auto& store = pass.parameters;
    if (!pass.for_input_alone) {
      Write gradient_write{};
      for (std::size_t i = first; i < first + std::size_t(count); ++i) {
        gradient_write = store.gradient_write(weight_[i]);
        store.gradient_write(bias_[i]);
      }
      run<B>(pass.context,
             LinearBackwardParameters<P>{x, dy, {store.gradient_matrix(weight_[first]).data, count * width_, width_},
                                         {store.gradient_vector(bias_[first]).data, count * width_}, gradient_write});
    }
    run<B>(pass.context, LinearBackwardInput<P>{dy, weights(pass, first, count), dx, write, store.weights_version()});
  }

  Index width_, heads_, layer_;
  double dropout_;
  std::array<Index, 3> weight_, bias_;  ///< query, key, value
  Linear<B> output_;
};

}  // namespace hone
