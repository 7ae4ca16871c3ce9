#pragma once

#include <string>

#include "hone/layers/layer.hpp"
#include "hone/ops/embedding.hpp"

namespace hone {

/// What the embedding of a BERT encoder consists of.
struct EmbeddingShape {
  Index vocabulary, positions, segments, width;  ///< V, P, T, D
  double epsilon = 1e-12, dropout = 0.1, initializer_range = 0.02;
  Index padding = -1;  ///< the token whose embedding is not trained; -1: none
};

/// y = dropout(layer_norm(word + position + segment)) for the tokens of the batch.
///
/// Shapes: y (N, D); parameters NAME.word_embeddings.weight (V, D), NAME.position_embeddings.weight (P, D),
/// NAME.token_type_embeddings.weight (T, D), NAME.LayerNorm.{weight,bias} (D). Saved: z, mean, rstd.
/// The gradient of the padding token's row is zero even where a text contains that token, as torch.nn.Embedding
/// (padding_idx) in BERT has it.
/// Source: Devlin et al. 2019, arXiv:1810.04805, section 3.
template <Backend B>
class Embedding {
  using P = typename B::Precision;

 public:
  struct Cache {
    Matrix<B> z;
    VectorView<StatisticOf<P>> mean, rstd;
    Dropout dropout;
  };

  Embedding(ParameterStore<B>& store, std::string const& name, EmbeddingShape const& shape)
      : shape_(shape),
        word_(table(store, name + ".word_embeddings.weight", shape.vocabulary)),
        position_(table(store, name + ".position_embeddings.weight", shape.positions)),
        segment_(table(store, name + ".token_type_embeddings.weight", shape.segments)),
        gamma_(store.add(name + ".LayerNorm.weight", {shape.width}, ParameterKind::norm_weight, Initializer::constant(1))),
        beta_(store.add(name + ".LayerNorm.bias", {shape.width}, ParameterKind::norm_bias, Initializer::constant(0))) {
    if constexpr (requires { RungOf<B, EmbeddingBackward<P>>::template Kernel<EmbeddingBackward<P>>::keeps_used_rows; })
      store.track_rows(word_);
  }

  Index output_width() const { return shape_.width; }
  Cache plan(Plan& plan, Index rows) const {
    Cache cache{};
    cache.z = plan.saved.matrix<ActivationOf<P>>(rows, shape_.width);
    cache.mean = plan.saved.vector<StatisticOf<P>>(rows);
    cache.rstd = plan.saved.vector<StatisticOf<P>>(rows);
    plan.kernel<B, EmbeddingBackward<P>>(rows, shape_.width, shape_.vocabulary, shape_.positions);
    return cache;
  }

  void forward(Pass<B>& pass, Matrix<B> y, Cache& cache) const {
    auto& store = pass.parameters;
    cache.dropout = pass.dropout.site(DropoutSite::embedding, 0, shape_.dropout);
    run<B>(pass.context,
           EmbeddingForward<P>{pass.batch.tokens, pass.batch.positions, pass.batch.segments, store.matrix(word_),
                               store.matrix(position_), store.matrix(segment_), store.vector(gamma_), store.vector(beta_),
                               shape_.epsilon, cache.dropout, pass.batch.row_map, cache.z, y, cache.mean, cache.rstd});
  }

  /// dy is used as scratch.
  void backward(Pass<B>& pass, Matrix<B> dy, Cache& cache) const {
    auto& store = pass.parameters;
    Write const write = store.gradient_write(word_);
    for (Index const id : {position_, segment_, gamma_, beta_}) store.gradient_write(id);
    auto const [dword, used_words] = store.tracked_gradient(word_);
    run<B>(pass.context,
           EmbeddingBackward<P>{pass.batch.tokens, pass.batch.positions, pass.batch.segments, dy, cache.z, cache.mean,
                                cache.rstd, store.vector(gamma_), cache.dropout, pass.batch.row_map, dy, dword,
                                store.gradient_matrix(position_), store.gradient_matrix(segment_),
                                store.gradient_vector(gamma_), store.gradient_vector(beta_), write, used_words});
    if (shape_.padding >= 0)
      pass.context.fill_zero(dword.row(shape_.padding), std::size_t(shape_.width) * sizeof(MasterOf<P>));
  }

 private:
  Index table(ParameterStore<B>& store, std::string const& name, Index rows) const {
    return store.add(name, {rows, shape_.width}, ParameterKind::embedding, Initializer::normal(shape_.initializer_range));
  }

  EmbeddingShape shape_;
  Index word_, position_, segment_, gamma_, beta_;
};

}  // namespace hone
