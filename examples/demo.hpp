// The run without arguments: generated reviews, a vocabulary trained on them, a tiny BERT that starts from nothing.
#pragma once

#include <hone/hone.hpp>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "hone/data/bag_of_words.hpp"
#include "hone/data/demo_corpus.hpp"
#include "hone/report/console.hpp"
#include "hone/text/wordpiece_trainer.hpp"

namespace hone::examples {

/// Generated reviews, as many as asked for (0: 24000 for training, 1000 for testing). The texts do not depend on the seed of
/// the run: it varies the model, not the task.
inline data::Imdb demo_reviews(data::ImdbOptions const& subset) {
  data::DemoOptions options;
  options.train_examples = subset.train_examples > 0 ? subset.train_examples : 24000;
  options.test_examples = subset.test_examples > 0 ? subset.test_examples : 1000;
  return data::demo_reviews(options);
}

/// A vocabulary learnt from the training texts alone.
inline Tokenizer demo_tokenizer(data::Dataset const& train) {
  WordPieceTrainerOptions vocabulary;
  vocabulary.vocabulary_size = 1000;
  TokenizerOptions cutting;
  cutting.lowercase = true;
  return Tokenizer::from_tokens(train_wordpiece(train.texts, vocabulary), cutting);
}

/// A tiny BERT for them, with a vocabulary learnt from the training texts alone.
template <class Model>
Model demo_model(data::Dataset const& train, typename Model::ModelOptions options) {
  Tokenizer tokenizer = demo_tokenizer(train);
  BertConfig config;
  config.vocab_size = tokenizer.vocabulary_size();
  config.hidden_size = 64;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.intermediate_size = 256;
  config.max_position_embeddings = 128;
  return Model::from_config(config, std::move(tokenizer), options);
}

/// Prints what a bag of words reaches on the same reviews and tokens, beside the model, and keeps it for results.json.
inline void compare_with_bag_of_words(data::Imdb const& reviews, double accuracy, Console& console,
                                      nlohmann::ordered_json& results) {
  double const baseline = data::bag_of_words_accuracy(reviews.train, reviews.test);
  results["bag_of_words_accuracy"] = baseline;
  console.print(
      formatted("accuracy of this model %.2f %%, of a bag of words (logistic regression, blind to word order) %.2f %%",
                100 * accuracy, 100 * baseline));
}

}  // namespace hone::examples
