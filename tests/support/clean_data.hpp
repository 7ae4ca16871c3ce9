// A small model with a tokenizer, and labelled texts of random words in which the doctor finds nothing.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/philox.hpp"
#include "hone/data/dataset.hpp"
#include "hone/data/sampler.hpp"
#include "hone/models/bert_classifier.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/train/finding.hpp"
#include "hone/train/recipe.hpp"
#include "support/small_bert.hpp"

namespace hone::test {

/// 60 words "waa", "wab", ... behind the special tokens: 65 ids.
inline Tokenizer word_tokenizer() {
  std::vector<std::string> words{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (int i = 0; i < 60; ++i) words.push_back(std::string("w") + char('a' + i / 26) + char('a' + i % 26));
  return Tokenizer::from_tokens(words);
}

/// Random texts of 5 to 24 words; balanced classes and stars that fit them, in random order.
inline data::Dataset random_texts(std::size_t count, std::uint64_t seed = 1) {
  data::Dataset made;
  made.labels = {{"is_positive", {}}, {"star_rating", {}}};
  PhiloxStream random(seed, 5);
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    std::size_t const words = 5 + std::size_t(random.below(20));
    for (std::size_t w = 0; w < words; ++w) {
      auto const word = random.below(60);
      text += (w == 0 ? "w" : " w") + std::string(1, char('a' + word / 26)) + char('a' + word % 26);
    }
    bool const positive = i % 2 == 0;
    made.sources.push_back("text_" + std::to_string(seed) + "_" + std::to_string(i) + ".txt");
    made.texts.push_back(text);
    made.labels[0].values.push_back(positive ? 1 : 0);
    made.labels[1].values.push_back(double(positive ? 7 + random.below(4) : 1 + random.below(4)));
  }
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  detail::shuffle(std::span<std::size_t>(order), random);
  return made.subset(order);
}

inline void tokenise(data::Dataset& data, Tokenizer const& tokenizer, std::int64_t max_length = 0) {
  data.tokens = {};
  for (auto const& text : data.texts) data.tokens.push_back(tokenizer.encode(text, max_length));
}
/// Random texts with their tokens.
inline data::Dataset clean_data(std::size_t count, std::uint64_t seed = 1) {
  auto made = random_texts(count, seed);
  tokenise(made, word_tokenizer());
  return made;
}

/// A small model for these tokens.
template <class Model>
Model clean_model(std::uint64_t seed = 1) {
  auto config = small_config();
  auto tokenizer = word_tokenizer();
  config.vocab_size = tokenizer.vocabulary_size();
  config.initializer_range = 0.1;
  return Model::from_config(config, std::move(tokenizer), {.backend = {1}, .seed = seed, .dropout = {}});
}

/// The recipe of the two heads.
inline Recipe<> clean_recipe() {
  Recipe<> recipe;
  recipe.losses.weights = {1, 0.02};
  return recipe;
}

/// The first finding of a number; one with an empty number when there is none.
inline Finding finding_of(std::vector<Finding> const& findings, std::string const& number) {
  for (auto const& finding : findings)
    if (finding.number == number) return finding;
  return {};
}
/// How grave a finding is, in a word; "none" when it was not given.
inline std::string verdict(std::vector<Finding> const& findings, std::string const& number) {
  auto const finding = finding_of(findings, number);
  return finding.number.empty() ? "none" : name(finding.severity);
}

}  // namespace hone::test
