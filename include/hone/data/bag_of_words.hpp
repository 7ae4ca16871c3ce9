#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/philox.hpp"
#include "hone/data/dataset.hpp"
#include "hone/data/sampler.hpp"

namespace hone::data {

/// How the baseline is trained. The defaults suit 1,000 to 25,000 reviews.
struct BagOfWordsOptions {
  int epochs = 20;
  double step_size = 0.1;         ///< AdaGrad's; eta in Duchi, Hazan, Singer, JMLR 12 (2011), figure 1
  double held_out_share = 0.1;    ///< of the training examples, to choose the penalty
  std::uint64_t seed = 0;
};

/// Logistic regression on which tokens a text has: blind to their order, so what a model must beat to show that it reads.
///
///     p(1 | text) = sigmoid(b + sum_{t in text} w_t / sqrt(n)),   loss = mean cross entropy + penalty / 2 |w|^2
///
/// with the sum over the n distinct tokens of the text. Trained by AdaGrad on single examples.
class BagOfWords {
 public:
  /// @param vocabulary  one more than the largest token id
  explicit BagOfWords(std::size_t vocabulary) : weights_(vocabulary + 1), squares_(vocabulary + 1) {}

  /// Trains on these rows of the data; `labels` are 0 or 1, one a sequence. The same arguments give the same weights.
  void fit(std::vector<std::vector<std::int32_t>> const& texts, std::span<double const> labels,
           std::span<std::size_t const> rows, double penalty, BagOfWordsOptions const& options);

  /// The probability of label 1 for the distinct tokens of a text. Tokens beyond the vocabulary count nothing.
  double probability(std::span<std::int32_t const> text) const {
    double sum = 0;
    for (std::int32_t const token : text)
      if (static_cast<std::size_t>(token) + 1 < weights_.size()) sum += weights_[static_cast<std::size_t>(token)];
    return 1 / (1 + std::exp(-(weights_.back() + sum * feature(text.size()))));
  }

 private:
  static double feature(std::size_t distinct) {
    return 1 / std::sqrt(static_cast<double>(std::max<std::size_t>(distinct, 1)));
  }

  void update(std::size_t at, double gradient, double step_size) {
    squares_[at] += gradient * gradient;
    weights_[at] -= step_size * gradient / std::sqrt(squares_[at]);
  }

  std::vector<double> weights_, squares_;  // the bias is the last
};

/// Test accuracy (0 to 1) of the best bag-of-words model for a head with labels 0 and 1.
///
/// An honest baseline: the penalty is chosen on held-out training examples, then all of them train the model that is tested.
/// Deterministic; a second or two for 5,000 reviews of IMDB, ten for 25,000.
/// Errors: E401 no labels of that name, E410 not tokenised or too few examples.
double bag_of_words_accuracy(Dataset const& train, Dataset const& test, std::string_view head = "is_positive",
                             BagOfWordsOptions const& options = {});

#if HONE_BODIES

HONE_INLINE void BagOfWords::fit(std::vector<std::vector<std::int32_t>> const& texts, std::span<double const> labels,
                                 std::span<std::size_t const> rows, double penalty, BagOfWordsOptions const& options) {
  std::fill(weights_.begin(), weights_.end(), 0.0);
  std::fill(squares_.begin(), squares_.end(), 1e-8);
  // The penalty's pull is shared out over the tokens' own examples, so that an example costs its tokens alone.
  std::vector<double> pull(weights_.size());
  for (std::size_t const row : rows)
    for (std::int32_t const token : texts[row]) pull[static_cast<std::size_t>(token)] += 1;
  for (double& p : pull) p = p > 0 ? penalty * static_cast<double>(rows.size()) / p : 0;
  std::size_t const bias = weights_.size() - 1;
  for (int epoch = 0; epoch < options.epochs; ++epoch)
    for (std::size_t const at : epoch_order(rows.size(), options.seed, static_cast<std::uint32_t>(epoch))) {
      auto const& text = texts[rows[at]];
      double const scale = feature(text.size());
      double const error = probability(text) - labels[rows[at]];
      for (std::int32_t const token : text) {
        auto const t = static_cast<std::size_t>(token);
        update(t, error * scale + pull[t] * weights_[t], options.step_size);
      }
      update(bias, error, options.step_size);
    }
}

#endif

}  // namespace hone::data

#if HONE_BODIES

namespace hone::detail {

/// The distinct tokens of each sequence, sorted.
inline std::vector<std::vector<std::int32_t>> distinct_tokens(RaggedTokens const& sequences) {
  std::vector<std::vector<std::int32_t>> texts;
  texts.reserve(sequences.size());
  for (std::size_t b = 0; b < sequences.size(); ++b) {
    auto const tokens = sequences[b];
    std::vector<std::int32_t> text(tokens.begin(), tokens.end());
    std::sort(text.begin(), text.end());
    text.erase(std::unique(text.begin(), text.end()), text.end());
    texts.push_back(std::move(text));
  }
  return texts;
}

inline double share_right(data::BagOfWords const& model, std::vector<std::vector<std::int32_t>> const& texts,
                          std::span<double const> labels, std::span<std::size_t const> rows) {
  std::size_t right = 0;
  for (std::size_t const row : rows) right += (model.probability(texts[row]) > 0.5) == (labels[row] == 1);
  return static_cast<double>(right) / static_cast<double>(rows.size());
}

}  // namespace hone::detail

namespace hone::data {

HONE_INLINE double bag_of_words_accuracy(Dataset const& train, Dataset const& test, std::string_view head,
                                    BagOfWordsOptions const& options) {
  if (train.tokens.size() != train.size() || test.tokens.size() != test.size() || train.size() < 10 || test.size() == 0)
    throw Error(410, "the bag-of-words baseline needs tokenised texts, ten to train and one to test", {},
                "tokenise both data sets first");
  auto const& train_labels = train.label(head).values;
  auto const& test_labels = test.label(head).values;
  auto const train_texts = detail::distinct_tokens(train.tokens), test_texts = detail::distinct_tokens(test.tokens);
  std::int32_t largest = 0;
  for (std::int32_t const token : train.tokens.tokens) largest = std::max(largest, token);
  BagOfWords model(static_cast<std::size_t>(largest) + 1);

  std::vector<std::size_t> const order = epoch_order(train.size(), options.seed ^ 0x686F6C64, 0);  // "hold"
  double const share = std::clamp(options.held_out_share, 0.01, 0.5);
  auto const held = std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(train.size()) * share));
  std::span<std::size_t const> const all(order), held_out = all.first(held), rest = all.subspan(held);
  double best_penalty = 0, best = -1;
  for (double const penalty : {0.0, 1e-6, 1e-5, 1e-4, 1e-3}) {
    model.fit(train_texts, train_labels, rest, penalty, options);
    double const accuracy = detail::share_right(model, train_texts, train_labels, held_out);
    if (accuracy > best) best = accuracy, best_penalty = penalty;
  }
  model.fit(train_texts, train_labels, all, best_penalty, options);
  std::vector<std::size_t> rows(test.size());
  std::iota(rows.begin(), rows.end(), std::size_t{0});
  return detail::share_right(model, test_texts, test_labels, rows);
}

}  // namespace hone::data

#endif
