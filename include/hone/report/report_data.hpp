// What report.html is made from: plain data of a run, and the texts that the page shows with the tokens that mattered.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/philox.hpp"
#include "hone/core/sha256.hpp"
#include "hone/data/dataset.hpp"
#include "hone/io/ledger.hpp"
#include "hone/metrics/probability.hpp"
#include "hone/report/run_events.hpp"
#include "hone/text/tokenizer.hpp"
#include "hone/train/evaluate.hpp"
#include "hone/train/finding.hpp"
#include "hone/train/step_report.hpp"

namespace hone {

/// What one head said of one text of the page.
struct ReportPrediction {
  double truth = std::nan("");          ///< class or value; NaN: not known
  double predicted = std::nan("");      ///< the most probable class, or the value
  std::vector<double> probabilities{};  ///< (K); empty where the head does not classify
  std::vector<double> weights{};        ///< one a token of the text: gradient times input; empty: not computed
  double other_weight = 0;              ///< the sum of those of [CLS], [SEP] and the like, which are not in the text

  /// How wrong: |predicted - truth|, or the probability that the true class did not get. NaN: not known.
  double error() const {
    if (probabilities.empty()) return std::abs(predicted - truth);
    auto const place = static_cast<std::size_t>(truth >= 0 ? truth : 0);
    return truth >= 0 && place < probabilities.size() ? 1 - probabilities[place] : std::nan("");
  }
};

/// One text of the page.
struct ReportExample {
  std::size_t row = 0;                    ///< its place in the data
  std::string source{};                   ///< where it came from
  std::string text{};                     ///< UTF-8; where tokens are marked, what `tokens` points into
  Index length = 0;                       ///< tokens that the model read; 0: not known
  bool cut = false;                       ///< the model did not read the end
  bool decoded = false;                   ///< the text is that of the tokens, not the original
  std::vector<TokenOffset> tokens{};      ///< bytes of the text of each token, in their order
  std::vector<ReportPrediction> heads{};  ///< in the order of the run's heads
  std::vector<int> lists{};               ///< why it is shown: -1 drawn at random, h: among the worst of head h
};

/// Which texts a page shows, and how long marking their tokens may take.
struct ReportOptions {
  std::size_t worst = 30;                   ///< so many with the largest error of each head
  std::size_t random = 100;                 ///< and so many drawn at random: the guess-first game plays with these alone
  std::uint64_t seed = 0;                   ///< of the drawing
  double attribution_seconds = 20;          ///< no batch is begun after so many seconds; texts without marks say so
  std::int64_t max_tokens = 2048;           ///< tokens in one batch (a longer text is a batch of its own): bounds the memory
  std::atomic<bool> const* stop = nullptr;  ///< when it becomes true, the texts that are left are not marked
  std::function<void(Index done, Index total)> on_progress{};  ///< called with texts whose tokens were marked
};

/// Everything that report.html shows. What is empty is left out of the page, or it says why there is nothing.
struct ReportData {
  RunStart start{};
  std::vector<StepReport> steps{};
  std::vector<EvaluationRecord> evaluations{};  ///< predictions (heads) are needed in the last one alone
  std::vector<Index> lengths{};                 ///< tokens of each text of the last evaluation; may be empty
  std::vector<ReportExample> examples{};
  std::vector<Finding> findings{};
  bool examined = false;  ///< somebody looked for findings: none is then good news
  std::optional<Ledger> ledger{};
  nlohmann::ordered_json results{};  ///< the content of results.json, as far as it is known
  std::string weights_hash{};        ///< SHA-256 of the weights, hexadecimal
  bool finished = false, interrupted = false;
  std::string error{};                                  ///< what ended the run; empty: nothing did
  std::vector<std::vector<std::string>> class_names{};  ///< by head and class; empty: as the page thinks best

  /// Adds an evaluation and drops the predictions of those before it, which the page does not need.
  void add(EvaluationRecord record) {
    for (auto& earlier : evaluations) earlier.heads.clear();
    evaluations.push_back(std::move(record));
  }
  /// What the end of the run tells.
  void finish(RunEnd const& end) {
    finished = true;
    interrupted = end.interrupted;
    error = end.error;
    if (!end.results.is_null()) results = end.results;
  }
};

namespace detail {

void add_tensor(Sha256& sum, std::string const& name, void const* values, std::size_t bytes);
std::string hex_of(Sha256& sum);

#if HONE_BODIES

HONE_INLINE void add_tensor(Sha256& sum, std::string const& name, void const* values, std::size_t bytes) {
  sum.update(name);
  sum.update(values, bytes);
}

HONE_INLINE std::string hex_of(Sha256& sum) { return sum.hex(); }

#endif

}  // namespace detail

/// The SHA-256 of all parameters of a model, in their order: two models with the same are the same to the bit.
template <class Model>
std::string weights_sha256(Model const& model) {
  Sha256 sum;
  for (Index id = 0; id < model.parameters().count(); ++id) {
    auto const values = model.parameters().get(id);
    detail::add_tensor(sum, model.parameters().info(id).name, values.data(), values.size() * sizeof(values[0]));
  }
  return detail::hex_of(sum);
}

namespace detail {

/// `count` different numbers below `size`, in the order drawn. The same seed, the same numbers.
std::vector<std::size_t> drawn_rows(std::size_t size, std::size_t count, std::uint64_t seed);

/// What the heads said of one text.
std::vector<ReportPrediction> predictions_of(std::vector<HeadPredictions> const& heads, std::size_t row);

/// Finds the tokens in the text: by encoding it again, or, where that gives other tokens, in the decoded text.
/// The result is, for each id, its place in example.tokens; -1 for ids that are not in the text.
std::vector<std::int32_t> place_tokens(ReportExample& example, Tokenizer const& tokenizer,
                                       std::span<std::int32_t const> ids);

#if HONE_BODIES

HONE_INLINE std::vector<std::size_t> drawn_rows(std::size_t size, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> rows(size);
  for (std::size_t i = 0; i < size; ++i) rows[i] = i;
  PhiloxStream random(seed, 0x4854'4d4c);
  count = std::min(count, size);
  for (std::size_t i = 0; i < count; ++i) std::swap(rows[i], rows[i + std::size_t(random.below(size - i))]);
  rows.resize(count);
  return rows;
}

HONE_INLINE std::vector<ReportPrediction> predictions_of(std::vector<HeadPredictions> const& heads, std::size_t row) {
  std::vector<ReportPrediction> all;
  for (auto const& head : heads) {
    ReportPrediction one;
    if (row < head.truth.size()) one.truth = head.truth[row];
    if (row < head.predicted.size()) one.predicted = head.predicted[row];
    auto const classes = static_cast<std::size_t>(head.classes);
    if (classes > 0 && (row + 1) * classes <= head.probabilities.size())
      one.probabilities.assign(head.probabilities.begin() + std::ptrdiff_t(row * classes),
                               head.probabilities.begin() + std::ptrdiff_t((row + 1) * classes));
    all.push_back(std::move(one));
  }
  return all;
}

HONE_INLINE std::vector<std::int32_t> place_tokens(ReportExample& example, Tokenizer const& tokenizer,
                                                   std::span<std::int32_t const> ids) {
  std::vector<std::int32_t> places(ids.size(), -1);
  example.tokens.clear();
  Encoding again;
  try {
    again = tokenizer.encode_with_offsets(example.text, static_cast<std::int64_t>(ids.size()));
  } catch (Error const&) {  // fewer ids than special tokens, or not UTF-8: then the ids speak for themselves
  }
  if (std::equal(ids.begin(), ids.end(), again.ids.begin(), again.ids.end())) {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (again.offsets[i].end <= again.offsets[i].begin) continue;
      places[i] = static_cast<std::int32_t>(example.tokens.size());
      example.tokens.push_back(again.offsets[i]);
    }
    if (again.ids.size() >= 2) {
      auto const next = tokenizer.encode(example.text, static_cast<std::int64_t>(ids.size()) + 1);
      example.cut = next.size() > ids.size();
    }
    return places;
  }
  example.decoded = true;
  example.text.clear();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= tokenizer.vocabulary_size() || tokenizer.is_special(ids[i])) continue;
    std::string piece = tokenizer.token(ids[i]);
    if (piece.rfind("##", 0) == 0)
      piece.erase(0, 2);
    else if (!example.text.empty())
      example.text += ' ';
    places[i] = static_cast<std::int32_t>(example.tokens.size());
    auto const begin = static_cast<std::int64_t>(example.text.size());
    example.text += piece;
    example.tokens.push_back({begin, static_cast<std::int64_t>(example.text.size())});
  }
  return places;
}

#endif

}  // namespace detail

/// Chooses the texts of the page from the last evaluation: drawn at random, then the worst of each head. A text that is in
/// several lists is there once. `data` is the data that was evaluated, in its order; without it there are no texts.
void choose_examples(ReportData& report, data::Dataset const& data, ReportOptions const& options = {});

namespace detail {

/// By head, by text, by token.
using HeadAttributions = std::vector<std::vector<std::vector<double>>>;

void mark_tokens(ReportData& report, data::Dataset const& data, Tokenizer const& tokenizer,
                 std::function<HeadAttributions(RaggedBatch const&)> const& attribute, ReportOptions const& options);

#if HONE_BODIES

HONE_INLINE void mark_tokens(ReportData& report, data::Dataset const& data, Tokenizer const& tokenizer,
                             std::function<HeadAttributions(RaggedBatch const&)> const& attribute,
                             ReportOptions const& options) {
  auto const begin = std::chrono::steady_clock::now();
  std::size_t const count = report.examples.size();
  std::vector<std::size_t> order;  // list after list, one of each in turn
  {
    std::vector<std::vector<std::size_t>> lists;
    for (std::size_t i = 0; i < count; ++i) {
      auto const list = static_cast<std::size_t>(report.examples[i].lists.back() + 1);
      if (lists.size() <= list) lists.resize(list + 1);
      lists[list].push_back(i);
    }
    for (std::size_t round = 0; order.size() < count; ++round)
      for (auto const& list : lists)
        if (round < list.size()) order.push_back(list[round]);
  }
  for (std::size_t first = 0; first < order.size();) {
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() > options.attribution_seconds)
      return;
    if (options.stop && options.stop->load()) return;
    if (options.on_progress) options.on_progress(Index(first), Index(order.size()));
    RaggedBatch batch;
    std::size_t end = first;
    while (end < order.size()) {
      auto const ids = data.tokens[report.examples[order[end]].row];
      if (end > first && batch.rows() + Index(ids.size()) > options.max_tokens) break;
      batch.push_back(ids);
      ++end;
    }
    auto const weights = attribute(batch);
    for (std::size_t i = first; i < end; ++i) {
      auto& example = report.examples[order[i]];
      auto const places = place_tokens(example, tokenizer, data.tokens[example.row]);
      for (std::size_t h = 0; h < weights.size() && h < example.heads.size(); ++h) {
        auto& head = example.heads[h];
        head.weights.assign(example.tokens.size(), 0.0);
        head.other_weight = 0;
        for (std::size_t t = 0; t < places.size(); ++t)
          (places[t] >= 0 ? head.weights[std::size_t(places[t])] : head.other_weight) += weights[h][i - first][t];
      }
    }
    first = end;
  }
}

#endif

}  // namespace detail

/// Marks the tokens of the examples by what they count for each head's output (Model::attribute), in batches, until the time
/// is over. The worst of each head and the texts drawn at random get their share in turn.
///
/// Errors: those of Model::attribute, E532 (no tokenizer).
template <class Model>
void mark_tokens(ReportData& report, Model& model, data::Dataset const& data, ReportOptions const& options = {}) {
  if (data.tokens.size() != data.size() || !model.has_tokenizer()) return;
  auto const attribute = [&model](RaggedBatch const& batch) {
    auto weights = model.attribute(batch);
    return detail::HeadAttributions(std::make_move_iterator(weights.begin()), std::make_move_iterator(weights.end()));
  };
  detail::mark_tokens(report, data, model.tokenizer(), attribute, options);
}

/// The texts of the page after an evaluation of `data`: chosen, and their tokens marked.
template <class Model>
void add_examples(ReportData& report, Model& model, data::Dataset const& data, ReportOptions const& options = {}) {
  choose_examples(report, data, options);
  mark_tokens(report, model, data, options);
}

#if HONE_BODIES

HONE_INLINE void choose_examples(ReportData& report, data::Dataset const& data, ReportOptions const& options) {
  report.examples.clear();
  report.lengths.clear();
  if (report.evaluations.empty()) return;
  auto const& heads = report.evaluations.back().heads;
  bool const has_tokens = data.tokens.size() == data.size();
  if (has_tokens)
    for (std::size_t row = 0; row < data.size(); ++row) report.lengths.push_back(Index(data.tokens[row].size()));
  auto add = [&](std::size_t row, int list) {
    for (auto& example : report.examples)
      if (example.row == row) {
        example.lists.push_back(list);
        return;
      }
    ReportExample example;
    example.row = row;
    example.source = data.sources[row];
    example.text = data.texts[row];
    if (has_tokens) example.length = Index(data.tokens[row].size());
    example.heads = detail::predictions_of(heads, row);
    example.lists.push_back(list);
    report.examples.push_back(std::move(example));
  };
  for (std::size_t const row : detail::drawn_rows(data.size(), options.random, options.seed)) add(row, -1);
  for (std::size_t h = 0; h < heads.size(); ++h) {
    if (heads[h].truth.size() != data.size()) continue;  // no labels: no errors
    std::vector<Mistake> mistakes;
    std::vector<HeadPredictions> const own{heads[h]};
    for (std::size_t row = 0; row < data.size(); ++row)
      if (!std::isnan(heads[h].truth[row])) mistakes.push_back({row, detail::predictions_of(own, row)[0].error()});
    for (auto const& mistake : detail::largest(std::move(mistakes), options.worst)) add(mistake.example, int(h));
  }
}

#endif

}  // namespace hone
