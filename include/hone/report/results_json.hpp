// results.json: what a run came to, with everything needed to say where the numbers come from.
#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "hone/core/atomic_file.hpp"
#include "hone/core/config.hpp"
#include "hone/data/dataset.hpp"
#include "hone/io/ledger.hpp"
#include "hone/report/host_info.hpp"
#include "hone/report/predictions_jsonl.hpp"
#include "hone/train/evaluate.hpp"
#include "hone/train/step_report.hpp"

namespace hone {

namespace detail {

nlohmann::ordered_json evaluation_json(std::span<HeadEvaluation const> measured, Index examples, Index tokens,
                                       double seconds);

nlohmann::ordered_json mistakes_json(std::vector<HeadMistakes> const& mistakes, std::span<HeadInfo const> heads,
                                     std::span<HostMatrix const> outputs, data::Dataset const& data);

#if HONE_BODIES

HONE_INLINE nlohmann::ordered_json evaluation_json(std::span<HeadEvaluation const> measured, Index examples, Index tokens,
                                                   double seconds) {
  nlohmann::ordered_json json;
  auto const head = std::find_if(measured.begin(), measured.end(), [](auto const& one) { return one.classifies; });
  if (head != measured.end()) {
    json["accuracy"] = head->accuracy;
    json["accuracy_interval"] = {head->accuracy_interval.low, head->accuracy_interval.high};
    json["cross_entropy"] = head->cross_entropy;
  }
  for (auto const& head : measured)
    if (head.head == "star_rating") json["star_mae"] = head.mean_absolute_error;
  json["test_examples"] = examples;
  json["test_tokens"] = tokens;
  json["eval_seconds"] = seconds;
  auto& heads = json["heads"] = nlohmann::ordered_json::object();
  for (auto const& head : measured) {
    auto& entry = heads[head.head];
    entry[head.loss_name] = head.loss;
    if (head.classifies) {
      entry["accuracy"] = head.accuracy;
      entry["accuracy_interval"] = {head.accuracy_interval.low, head.accuracy_interval.high};
      entry["cross_entropy"] = head.cross_entropy;
      entry["precision"] = head.measures.precision;  // of class 1, or the mean over more than two classes
      entry["recall"] = head.measures.recall;
      entry["f1"] = head.measures.f1;
      entry["mcc"] = head.mcc;
      entry["roc_auc"] = head.roc_auc;
      entry["pr_auc"] = head.pr_auc;
      entry["brier_score"] = head.brier_score;
      entry["expected_calibration_error"] = head.expected_calibration_error;
      auto& bins = entry["calibration"] = nlohmann::ordered_json::array();
      for (auto const& bin : head.calibration)
        bins.push_back({{"low", bin.low},
                        {"high", bin.high},
                        {"count", bin.count},
                        {"confidence", bin.confidence},
                        {"accuracy", bin.accuracy}});
      auto& table = entry["confusion"] = nlohmann::ordered_json::array();  // truth by row, prediction by column
      for (Index truth = 0; truth < head.confusion.classes; ++truth) {
        table.push_back(nlohmann::ordered_json::array());
        for (Index predicted = 0; predicted < head.confusion.classes; ++predicted)
          table.back().push_back(head.confusion(truth, predicted));
      }
    } else if (!std::isnan(head.mean_absolute_error)) {
      entry["mean_absolute_error"] = head.mean_absolute_error;
      entry["mean_absolute_error_interval"] = {head.mean_absolute_error_interval.low,
                                               head.mean_absolute_error_interval.high};
      entry["root_mean_square_error"] = head.root_mean_square_error;
      entry["spearman"] = head.spearman;
      if (!std::isnan(head.quadratic_kappa)) entry["quadratic_kappa"] = head.quadratic_kappa;
    }
  }
  return json;
}

HONE_INLINE nlohmann::ordered_json mistakes_json(std::vector<HeadMistakes> const& mistakes, std::span<HeadInfo const> heads,
                                                 std::span<HostMatrix const> outputs, data::Dataset const& data) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (auto const& head : mistakes) {
    auto& list = json[head.head] = nlohmann::ordered_json::array();
    for (auto const& mistake : head.worst) {
      list.push_back(prediction_json(heads, outputs, data, mistake.example));
      list.back()[head.classifies ? "confidence" : "error"] = mistake.size;
      list.back()["text"] = data.texts[mistake.example];
    }
  }
  return json;
}

#endif

}  // namespace detail

/// Appends the fields of `more` to `json`.
void add_fields(nlohmann::ordered_json& json, nlohmann::ordered_json const& more);

/// The measures of an evaluation. The usual ones at the top by their usual names (accuracy, cross_entropy of the first
/// classifying head, star_mae of a head star_rating), all of them under "heads".
template <class HeadList>
nlohmann::ordered_json to_json(Evaluation<HeadList> const& evaluation) {
  return detail::evaluation_json(evaluation.heads, evaluation.examples, evaluation.tokens, evaluation.seconds);
}

/// A line of evaluations.jsonl: the measures after some step of the training.
template <class HeadList>
nlohmann::ordered_json evaluation_line(Index step, Evaluation<HeadList> const& evaluation) {
  nlohmann::ordered_json json;
  json["step"] = step;
  add_fields(json, to_json(evaluation));
  return json;
}

/// What training came to: train_seconds, train_tokens_per_second (real tokens of all steps over the time of the steps), ...
nlohmann::ordered_json to_json(FitReport const& report);

/// How many tensors were loaded, are new, were ignored; the names of the new ones.
nlohmann::ordered_json to_json(Ledger const& ledger);

/// The worst mistakes with their texts, by head.
template <class HeadList>
nlohmann::ordered_json mistakes_json(std::vector<HeadMistakes> const& mistakes, Outputs<HeadList> const& outputs,
                                     data::Dataset const& data) {
  return detail::mistakes_json(mistakes, head_infos<HeadList>(), outputs.heads, data);
}

/// Writes a JSON document, whole or not at all. Errors: E70x of the disk.
void write_json_file(std::filesystem::path const& path, nlohmann::ordered_json const& json);

#if HONE_BODIES

HONE_INLINE void add_fields(nlohmann::ordered_json& json, nlohmann::ordered_json const& more) {
  for (auto const& [key, value] : more.items()) json[key] = value;
}

HONE_INLINE nlohmann::ordered_json to_json(FitReport const& report) {
  nlohmann::ordered_json json;
  json["steps"] = report.steps;
  json["train_examples_seen"] = report.examples;
  json["train_tokens"] = report.tokens;
  json["train_seconds"] = report.train_seconds;
  json["train_tokens_per_second"] =
      report.train_seconds > 0 ? static_cast<double>(report.tokens) / report.train_seconds : std::nan("");
  json["interrupted"] = report.interrupted;
  return json;
}

HONE_INLINE nlohmann::ordered_json to_json(Ledger const& ledger) {
  nlohmann::ordered_json json;
  for (LedgerState const state : {LedgerState::loaded, LedgerState::created, LedgerState::ignored})
    json[name(state)] = ledger.count(state);
  auto& created = json["new_parameters"] = nlohmann::ordered_json::array();
  for (auto const& entry : ledger.entries())
    if (entry.state == LedgerState::created) created.push_back(entry.parameter);
  return json;
}

HONE_INLINE void write_json_file(std::filesystem::path const& path, nlohmann::ordered_json const& json) {
  write_file_atomically(path, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

#endif

}  // namespace hone
