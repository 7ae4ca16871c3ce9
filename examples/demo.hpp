// The run without arguments: generated reviews, a vocabulary trained on them, a tiny BERT that starts from nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <hone/hone.hpp>

#include "hone/data/demo_corpus.hpp"

namespace hone::examples {

/// Generated reviews, as many as asked for (0: 4000 for training, 1000 for testing).
inline data::Imdb demo_reviews(data::ImdbOptions const& subset) {
  data::DemoOptions options;
  if (subset.train_examples > 0) options.train_examples = subset.train_examples;
  if (subset.test_examples > 0) options.test_examples = subset.test_examples;
  return data::demo_reviews(options);
}

/// A tiny BERT for them.
template <class Model>
Model demo_model(data::Dataset const&, typename Model::ModelOptions const&) {
  throw Error(903, "the run without --model and --data is not there yet", {}, "give --model and --data");
}

}  // namespace hone::examples
