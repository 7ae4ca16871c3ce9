// A comparison of runs as JSON, for other programs.
#pragma once

#include <nlohmann/json.hpp>

#include "hone/core/config.hpp"
#include "hone/report/compare.hpp"

namespace hone {

/// {"runs": [{"letter", "folder", "name", "texts", "heads": {NAME: measures}}], "settings": {NAME: [value by run]},
///  "common_texts", "same_texts", "tests": [{"first", "second", "head", "texts", "difference", "interval", "p_value", ...}],
///  "notes"}. What is not known is null or left out.
nlohmann::ordered_json to_json(Comparison const& comparison);

#if HONE_BODIES

HONE_INLINE nlohmann::ordered_json to_json(Comparison const& comparison) {
  using Json = nlohmann::ordered_json;
  auto const interval = [](Interval const& range) { return Json{range.low, range.high}; };
  Json json;
  json["runs"] = Json::array();
  for (auto const& run : comparison.runs) {
    Json entry;
    entry["letter"] = run.letter;
    entry["name"] = run.record.name;
    entry["folder"] = run.record.folder.string();
    entry["texts"] = run.texts;
    entry["heads"] = Json::object();
    for (auto const& head : run.heads) {
      Json measures;
      if (head.classifies) {
        measures["accuracy"] = head.accuracy;
        measures["accuracy_interval"] = interval(head.accuracy_interval);
        measures["cross_entropy"] = head.cross_entropy;
        measures["precision"] = head.measures.precision;
        measures["recall"] = head.measures.recall;
        measures["f1"] = head.measures.f1;
        measures["mcc"] = head.mcc;
        measures["roc_auc"] = head.roc_auc;
        measures["pr_auc"] = head.pr_auc;
        measures["brier_score"] = head.brier_score;
        measures["expected_calibration_error"] = head.expected_calibration_error;
      } else {
        measures["mean_absolute_error"] = head.mean_absolute_error;
        measures["mean_absolute_error_interval"] = interval(head.mean_absolute_error_interval);
        measures["root_mean_square_error"] = head.root_mean_square_error;
        measures["spearman"] = head.spearman;
        measures["quadratic_kappa"] = head.quadratic_kappa;
      }
      entry["heads"][head.head] = std::move(measures);
    }
    for (char const* key : {"steps", "train_seconds", "train_tokens_per_second"}) entry[key] = run.record.number({key});
    json["runs"].push_back(std::move(entry));
  }
  json["settings"] = Json::object();
  for (auto const& setting : comparison.settings) json["settings"][setting.name] = setting.values;
  json["common_texts"] = comparison.common_texts;
  json["same_texts"] = comparison.same_texts;
  json["tests"] = Json::array();
  for (auto const& test : comparison.tests) {
    Json entry;
    entry["first"] = comparison.runs[test.first].letter;
    entry["second"] = comparison.runs[test.second].letter;
    entry["head"] = test.head;
    entry["measure"] = test.classifies ? "accuracy" : "mean_absolute_error";
    entry["texts"] = test.texts;
    entry["difference"] = test.difference.difference;
    entry["interval"] = interval(test.difference.interval);
    entry["test"] = !test.classifies ? "paired bootstrap" : test.mcnemar.exact ? "McNemar, exact" : "McNemar";
    entry["p_value"] = test.p_value;
    entry["adjusted_p_value"] = test.adjusted_p_value;
    if (test.classifies) {
      entry["only_first_right"] = test.mcnemar.only_first;
      entry["only_second_right"] = test.mcnemar.only_second;
    }
    int const better = test.better();
    entry["better"] = better == 0 ? Json(nullptr) : entry[better < 0 ? "first" : "second"];
    json["tests"].push_back(std::move(entry));
  }
  json["notes"] = comparison.notes;
  return json;
}

#endif

}  // namespace hone
