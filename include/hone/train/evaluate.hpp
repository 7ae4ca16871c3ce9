// What a model makes of a data set: outputs in the order of the data, measures by head, the worst mistakes.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/ragged_batch.hpp"
#include "hone/data/dataset.hpp"
#include "hone/data/sampler.hpp"
#include "hone/heads/heads.hpp"
#include "hone/loss/weighted_sum.hpp"
#include "hone/metrics/probability.hpp"
#include "hone/models/outputs.hpp"
#include "hone/train/batch.hpp"
#include "hone/train/head_evaluation.hpp"

namespace hone {

/// How a data set is evaluated. None of it changes a result.
struct EvaluationOptions {
  Index batch_size = 256;                                      ///< at most so many texts at once
  std::int64_t max_tokens = 16384;                             ///< and at most so many tokens: bounds the memory
  std::function<void(Index done, Index total)> on_progress{};  ///< called after each batch with numbers of texts
  std::atomic<bool> const* stop = nullptr;  ///< when it becomes true, E630 is thrown after the batch at work
};

namespace detail {

/// test_set_predictions for a model of any type.
///
/// @param predict  gives the outputs of a batch by head, valid until the next call
/// @param all      gets the outputs of all texts by head
void predict_in_batches(data::Dataset const& data, EvaluationOptions const& options,
                        std::function<std::span<HostMatrix const>(RaggedBatch const&)> const& predict,
                        std::span<HostMatrix> all);

#if HONE_BODIES

HONE_INLINE void predict_in_batches(data::Dataset const& data, EvaluationOptions const& options,
                                    std::function<std::span<HostMatrix const>(RaggedBatch const&)> const& predict,
                                    std::span<HostMatrix> all) {
  require_tokens(data);
  for (auto& head : all) head.values.resize(data.size() * std::size_t(head.cols));
  std::size_t const batch_size = options.batch_size > 0 ? std::size_t(options.batch_size) : 0;
  Index done = 0;
  for (auto const& rows : data::batches_by_token_budget(data.tokens, batch_size, options.max_tokens)) {
    if (options.stop && options.stop->load())
      throw Error(630, "the evaluation was stopped",
                  {.value = std::to_string(done) + " of " + std::to_string(data.size()) + " texts"}, "start it again");
    RaggedBatch batch;
    for (std::size_t const row : rows) batch.push_back(data.tokens[row]);
    auto const some = predict(batch);
    for (std::size_t h = 0; h < all.size(); ++h) {
      auto const width = std::size_t(some[h].cols);
      for (std::size_t i = 0; i < rows.size(); ++i)
        std::copy_n(some[h].row(Index(i)), width, all[h].values.begin() + std::ptrdiff_t(rows[i] * width));
    }
    done += Index(rows.size());
    if (options.on_progress) options.on_progress(done, Index(data.size()));
  }
}

#endif

}  // namespace detail

/// The outputs of a model, by head, for every text of a tokenised data set, in the order of the data.
///
/// Texts are worked on longest first in batches that the options bound; nothing is padded, dropout is off. For a model with
/// SentimentAndStars the result converts to `BertClassifierOutput`.
/// Errors: E408 (batch size), E422 (data not tokenised), E414 to E416 (ids outside the model's tables), E630 (stopped).
template <class Model>
Outputs<typename Model::HeadsType> test_set_predictions(Model& model, data::Dataset const& data,
                                                        EvaluationOptions const& options) {
  using HeadList = typename Model::HeadsType;
  Outputs<HeadList> all, some;
  detail::predict_in_batches(
      data, options,
      [&](RaggedBatch const& batch) {
        some = model.predict(batch);
        return std::span<HostMatrix const>(some.heads);
      },
      all.heads);
  return all;
}
/// The same with a batch size alone.
template <class Model>
Outputs<typename Model::HeadsType> test_set_predictions(Model& model, data::Dataset const& data, Index batch_size = 256) {
  EvaluationOptions options;
  options.batch_size = batch_size;
  return test_set_predictions(model, data, options);
}

/// What came out of an evaluation: outputs in the order of the data and measures by head.
template <class HeadList>
struct Evaluation {
  Outputs<HeadList> outputs{};
  std::vector<HeadEvaluation> heads{};
  Index examples = 0, tokens = 0;
  double seconds = 0;

  /// The first classifying head's measures, or the first regressing one's; null when there is none.
  HeadEvaluation const* first(bool classifies) const {
    for (auto const& head : heads)
      if (head.classifies == classifies && (classifies || !std::isnan(head.mean_absolute_error))) return &head;
    return nullptr;
  }
  double accuracy() const { return first(true) ? first(true)->accuracy : std::nan(""); }
  double cross_entropy() const { return first(true) ? first(true)->cross_entropy : std::nan(""); }
  double mean_absolute_error() const { return first(false) ? first(false)->mean_absolute_error : std::nan(""); }
};

/// Predictions and measures of a labelled data set. Errors: those of labels_for (before anything is computed) and of
/// test_set_predictions.
template <class Model, class... L>
Evaluation<typename Model::HeadsType> evaluate(Model& model, data::Dataset const& data, WeightedSum<L...> const& losses,
                                               EvaluationOptions const& options = {}) {
  using HeadList = typename Model::HeadsType;
  auto const begin = std::chrono::steady_clock::now();
  auto const labels = labels_for<HeadList>(data);
  Evaluation<HeadList> result;
  result.outputs = test_set_predictions(model, data, options);
  result.heads = measure(result.outputs, labels, losses);
  result.examples = Index(data.size());
  result.tokens = Index(data.tokens.tokens.size());
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

/// A prediction that is wrong, and how wrong.
struct Mistake {
  std::size_t example = 0;  ///< position in the data
  double size = 0;          ///< absolute error, or the probability given to the wrong class
};

namespace detail {

/// The k largest, the first of equals first; NaN counts as larger than any number.
std::vector<Mistake> largest(std::vector<Mistake> mistakes, std::size_t k);

#if HONE_BODIES

HONE_INLINE std::vector<Mistake> largest(std::vector<Mistake> mistakes, std::size_t k) {
  auto const rank = [](double size) { return std::isnan(size) ? std::numeric_limits<double>::infinity() : size; };
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [&](auto const& a, auto const& b) { return rank(a.size) > rank(b.size); });
  if (mistakes.size() > k) mistakes.resize(k);
  return mistakes;
}

#endif

}  // namespace detail

/// The k examples with the largest |predicted - truth|, largest first. Shapes: predicted (B, 1), truth (B).
std::vector<Mistake> worst_by_error(HostMatrix const& predicted, std::span<double const> truth, std::size_t k);

/// The k wrongly classified examples whose wrong class got the highest probability. Shapes: scores (B, K), truth (B).
std::vector<Mistake> most_confident_mistakes(HostMatrix const& scores, std::span<double const> truth, std::size_t k);

/// The worst mistakes of one head: by error for a regressing head, by confidence for a classifying one, else none.
struct HeadMistakes {
  std::string head{};
  bool classifies = false;
  std::vector<Mistake> worst{};
};

/// The k worst mistakes of every head. Throws E401 when a head has no labels.
template <class HeadList>
std::vector<HeadMistakes> worst_mistakes(Outputs<HeadList> const& outputs, data::Dataset const& data, std::size_t k) {
  std::vector<HeadMistakes> all;
  for_each_index<HeadList::count>([&](auto i) {
    using H = typename HeadList::template At<i>;
    auto const& truth = data.label(H::name()).values;
    HeadMistakes head{std::string(H::name()), ClassifyingHead<H>, {}};
    if constexpr (ClassifyingHead<H>)
      head.worst = most_confident_mistakes(outputs.heads[i], truth, k);
    else if constexpr (detail::regressing_head<H>)
      head.worst = worst_by_error(outputs.heads[i], truth, k);
    all.push_back(std::move(head));
  });
  return all;
}

#if HONE_BODIES

HONE_INLINE std::vector<Mistake> worst_by_error(HostMatrix const& predicted, std::span<double const> truth, std::size_t k) {
  std::vector<Mistake> all;
  for (std::size_t i = 0; i < truth.size(); ++i) all.push_back({i, std::abs(predicted(Index(i), 0) - truth[i])});
  return detail::largest(std::move(all), k);
}

HONE_INLINE std::vector<Mistake> most_confident_mistakes(HostMatrix const& scores, std::span<double const> truth,
                                                         std::size_t k) {
  std::vector<Mistake> wrong;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    Index const predicted = scores.argmax(Index(i));
    if (static_cast<double>(predicted) == truth[i]) continue;
    auto const shares = softmax(std::span<double const>(scores.row(Index(i)), std::size_t(scores.cols)));
    wrong.push_back({i, shares[std::size_t(predicted)]});
  }
  return detail::largest(std::move(wrong), k);
}

#endif

}  // namespace hone
