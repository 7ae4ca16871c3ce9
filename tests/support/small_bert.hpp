// A small BertClassifier with random weights, and random batches for it: for laws that hold for every model.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "hone/core/philox.hpp"
#include "hone/core/sha256.hpp"
#include "hone/data/dataset.hpp"
#include "hone/optim/adamw.hpp"
#include "hone/optim/clip.hpp"
#include "support/tiny_bert.hpp"

namespace hone::test {

using SentimentLosses = WeightedSum<CrossEntropy, L1>;

/// Widths that no vector length divides; weights large enough that every layer matters; dropout as usual.
inline BertConfig small_config() {
  BertConfig config;
  config.vocab_size = 31;
  config.hidden_size = 20;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.intermediate_size = 28;
  config.max_position_embeddings = 40;
  config.initializer_range = 0.4;
  return config;
}

template <class B>
BertClassifier<B> small_bert(int threads = 1, std::uint64_t seed = 1) {
  return BertClassifier<B>::from_config(small_config(), {}, {.backend = {threads}, .seed = seed, .dropout = {}});
}

/// Sequences of these lengths with random tokens, segments and labels.
inline LabelledBatch random_batch(std::vector<Index> const& lengths, std::uint64_t seed = 1) {
  LabelledBatch made;
  PhiloxStream random(seed, 3);
  for (Index const length : lengths) {
    std::vector<std::int32_t> tokens, segments;
    for (Index i = 0; i < length; ++i) {
      tokens.push_back(std::int32_t(random.below(31)));
      segments.push_back(2 * i > length ? 1 : 0);
    }
    made.batch.push_back(tokens, segments);
    double const stars = 1 + double(random.below(10));
    std::get<0>(made.labels).push_back(stars > 5 ? 1 : 0);
    std::get<1>(made.labels).push_back(stars);
  }
  return made;
}

/// The sequences of `random_batch`, as a training set with both labels.
inline data::Dataset random_dataset(std::vector<Index> const& lengths, std::uint64_t seed = 1) {
  auto const all = random_batch(lengths, seed);
  data::Dataset made;
  made.labels = {{"is_positive", {}}, {"star_rating", {}}};
  for (Index b = 0; b < all.batch.size(); ++b) {
    made.sources.push_back(std::to_string(b));
    made.texts.push_back("");
    made.tokens.push_back(std::span(all.batch.tokens)
                              .subspan(std::size_t(all.batch.offsets[std::size_t(b)]), std::size_t(all.batch.length(b))));
    made.labels[0].values.push_back(std::get<0>(all.labels)[std::size_t(b)]);
    made.labels[1].values.push_back(std::get<1>(all.labels)[std::size_t(b)]);
  }
  return made;
}

/// Some sequences of a batch, in the given order; the first is example `first_example` of the step.
inline LabelledBatch chosen(LabelledBatch const& from, std::vector<std::size_t> const& rows, Index first_example = 0) {
  LabelledBatch made;
  for (std::size_t const b : rows) {
    auto const begin = std::size_t(from.batch.offsets[b]), count = std::size_t(from.batch.length(Index(b)));
    made.batch.push_back(std::span(from.batch.tokens).subspan(begin, count),
                         std::span(from.batch.segments).subspan(begin, count),
                         std::span(from.batch.positions).subspan(begin, count));
    std::get<0>(made.labels).push_back(std::get<0>(from.labels)[b]);
    std::get<1>(made.labels).push_back(std::get<1>(from.labels)[b]);
  }
  made.batch.first_example = first_example;
  return made;
}
inline LabelledBatch part(LabelledBatch const& from, Index first, Index count) {
  std::vector<std::size_t> rows;
  for (Index b = first; b < first + count; ++b) rows.push_back(std::size_t(b));
  return chosen(from, rows, first);
}

/// All values of all parameters, or gradients, one after the other.
template <class B>
std::vector<std::vector<MasterOf<typename B::Precision>>> all_gradients(BertClassifier<B> const& model) {
  std::vector<std::vector<MasterOf<typename B::Precision>>> all;
  for (Index id = 0; id < model.parameters().count(); ++id) all.push_back(model.parameters().get_gradient(id));
  return all;
}

/// The checksum of all parameters' bits.
template <class B>
std::string weights_hash(BertClassifier<B> const& model) {
  Sha256 sum;
  for (Index id = 0; id < model.parameters().count(); ++id) {
    auto const values = model.parameters().get(id);
    sum.update(values.data(), values.size() * sizeof(values[0]));
  }
  return sum.hex();
}

}  // namespace hone::test
