#pragma once

#include <string>
#include <utility>

#include "hone/cpu/backend.hpp"
#include "hone/layers/embedding.hpp"
#include "hone/layers/encoder.hpp"
#include "hone/models/bert_config.hpp"

namespace hone {

/// The activation that a configuration names. Names are checked by BertConfig.
inline Activation activation_of(std::string const& hidden_act) {
  if (hidden_act == "relu") return Activation::relu;
  return hidden_act == "gelu" ? Activation::gelu : Activation::gelu_new;
}

/// BERT without heads: embedding and L encoder blocks, sizes from config.json. Its parameters carry the Hugging Face names
/// with the prefix "bert.".
///
/// Output: the last hidden states, (N, D), or (B, D) where only the first token of each sequence is read. No pooler.
/// Source: Devlin et al. 2019, arXiv:1810.04805, section 3.
template <Backend B>
class BertEncoder {
  using P = typename B::Precision;
  using A = ActivationOf<P>;

 public:
  struct Cache {
    typename Embedding<B>::Cache embedding;
    typename Encoder<B>::Cache encoder;
    Matrix<B> dx;  ///< (N, D) scratch of backward: the gradient that travels down

    /// The output of forward.
    Matrix<B> output() const { return encoder.inputs.back(); }
  };

  BertEncoder(ParameterStore<B>& store, BertConfig const& config);

  Index width() const { return width_; }
  Index layers() const { return encoder_.layers(); }

  /// @param training  false: nothing is kept for backward
  /// @param cache     an earlier plan's, whose memory on the host is used again
  Cache plan(Plan& plan, Index rows, Index sequences, ReadRows read, bool training, Cache cache = {}) const;

  void forward(Pass<B>& pass, Cache& cache) const;

  /// @param dy  gradient of the output, used up
  void backward(Pass<B>& pass, Matrix<B> dy, Cache& cache) const;
  /// The same without the embedding: the gradient of its output, (N, D).
  Matrix<B> backward_to_embedding(Pass<B>& pass, Matrix<B> dy, Cache& cache) const;

 private:
  Index width_;
  Embedding<B> embedding_;
  Encoder<B> encoder_;
};

// What is long is defined here and is not inline, so that it can be compiled elsewhere.

template <Backend B>
BertEncoder<B>::BertEncoder(ParameterStore<B>& store, BertConfig const& config)
    : width_(config.hidden_size),
      embedding_(store, "bert.embeddings",
                 {config.vocab_size, config.max_position_embeddings, config.type_vocab_size, config.hidden_size,
                  config.layer_norm_eps, config.hidden_dropout_prob, config.initializer_range, config.padding_row()}),
      encoder_(store, "bert.encoder",
               {config.hidden_size, config.num_attention_heads, config.intermediate_size, activation_of(config.hidden_act),
                config.layer_norm_eps, config.hidden_dropout_prob, config.attention_probs_dropout_prob,
                config.initializer_range},
               config.num_hidden_layers) {}

template <Backend B>
typename BertEncoder<B>::Cache BertEncoder<B>::plan(Plan& plan, Index rows, Index sequences, ReadRows read, bool training,
                                                    Cache cache) const {
  cache.dx = training ? plan.scratch.template matrix<A>(rows, width_) : Matrix<B>{};
  cache.embedding = embedding_.plan(plan, rows);
  cache.encoder = encoder_.plan(plan, rows, sequences, read, training, std::move(cache.encoder));
  return cache;
}

template <Backend B>
void BertEncoder<B>::forward(Pass<B>& pass, Cache& cache) const {
  embedding_.forward(pass, cache.encoder.inputs.front(), cache.embedding);
  encoder_.forward(pass, cache.encoder);
}

template <Backend B>
void BertEncoder<B>::backward(Pass<B>& pass, Matrix<B> dy, Cache& cache) const {
  embedding_.backward(pass, backward_to_embedding(pass, dy, cache), cache.embedding);
}

template <Backend B>
Matrix<B> BertEncoder<B>::backward_to_embedding(Pass<B>& pass, Matrix<B> dy, Cache& cache) const {
  encoder_.backward(pass, dy, cache.dx, cache.encoder);
  return cache.dx;
}

// Compiled once, apart from the rest, where a program wants that: see bert_classifier.hpp.
#if defined(HONE_KERNELS_ELSEWHERE)
extern template class BertEncoder<Cpu<fp32>>;
extern template class BertEncoder<Cpu<fp64>>;
extern template class BertEncoder<Cpu<mixed>>;
#endif

}  // namespace hone
