// report.html of a run that has ended, from the files in its folder.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/core/ragged_batch.hpp"
#include "hone/data/dataset.hpp"
#include "hone/report/report_data.hpp"
#include "hone/report/run_record.hpp"

namespace hone {

/// The texts of a run's predictions.jsonl, in its order, not tokenised and without labels; empty where the file has no
/// texts. Errors: E20x reading, E931 a damaged line.
data::Dataset texts_of_run(std::filesystem::path const& folder);

/// What report.html needs, from a run's folder: its results, steps, evaluations, predictions, and texts chosen from them.
///
/// Tokens are not marked; with the run's model they can be: tokenise `texts_of_run(folder)` and call `mark_tokens`.
/// Errors: those of read_run.
ReportData report_of_run(std::filesystem::path const& folder, ReportOptions const& options = {});

#if HONE_BODIES

HONE_INLINE data::Dataset texts_of_run(std::filesystem::path const& folder) {
  data::Dataset data;
  auto const path = folder / "predictions.jsonl";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return data;
  bool all = true;
  detail::for_each_json_line(path, [&](nlohmann::json const& json, std::int64_t line) {
    auto const source = json.find("source"), text = json.find("text");
    if (source == json.end() || !source->is_string()) detail::throw_damaged_line(path, line, "it has no source");
    all = all && text != json.end() && text->is_string();
    if (!all) return;
    data.sources.push_back(source->get<std::string>());
    data.texts.push_back(text->get<std::string>());
  });
  return all ? data : data::Dataset{};
}

namespace detail {

inline std::vector<StepReport> steps_of_run(RunRecord const& run) {
  std::vector<StepReport> steps(run.steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto& step = steps[i];
    step.step = Index(run.steps[i]);
    step.accuracy = step.learning_rate = step.grad_norm = step.seconds = std::nan("");
    for (auto const& [key, values] : run.curves) {
      double const value = values[i];
      auto const whole = [&] { return std::isfinite(value) ? Index(value) : Index(0); };
      if (key.ends_with("_loss"))
        step.losses.emplace_back(key.substr(0, key.size() - 5), value);
      else if (key == "accuracy")
        step.accuracy = value;
      else if (key == "learning_rate")
        step.learning_rate = value;
      else if (key == "grad_norm")
        step.grad_norm = value;
      else if (key == "seconds")
        step.seconds = value;
      else if (key == "elapsed")
        step.elapsed = value;
      else if (key == "epoch")
        step.epoch = whole();
      else if (key == "examples")
        step.examples = whole();
      else if (key == "tokens")
        step.tokens = whole();
      else if (key == "total_tokens")
        step.total_tokens = whole();
      else if (key == "total_steps")
        step.total_steps = whole();
    }
  }
  std::error_code ignored;
  auto const path = run.folder / "metrics.jsonl";
  if (!std::filesystem::exists(path, ignored)) return steps;
  std::map<Index, std::size_t> places;
  for (std::size_t i = 0; i < steps.size(); ++i) places[steps[i].step] = i;
  for_each_json_line(path, [&](nlohmann::json const& json, std::int64_t) {  // RunRecord keeps numbers alone
    auto const step = json.find("step"), norms = json.find("group_norms");
    if (step == json.end() || !step->is_number() || norms == json.end() || !norms->is_object()) return;
    auto const place = places.find(Index(step->get<double>()));
    if (place == places.end()) return;
    auto& groups = steps[place->second].group_norms;
    groups.clear();
    for (auto const& [name, value] : norms->items())
      if (value.is_number() && groups.size() < 200) groups.emplace_back(name, value.get<double>());
  });
  return steps;
}

/// Findings as `to_json` writes them; what is none is left out.
inline std::vector<Finding> findings_from_json(nlohmann::json const& json) {
  std::vector<Finding> findings;
  if (!json.is_array()) return findings;
  for (auto const& one : json) {
    auto const text = [&](char const* key) {
      return one.is_object() && one.contains(key) && one[key].is_string() ? one[key].get<std::string>() : std::string();
    };
    Finding finding{text("number"), Severity::note, text("title"), text("detail"), text("next"), {}};
    for (auto const severity : {Severity::ok, Severity::note, Severity::warning, Severity::error})
      if (text("severity") == name(severity)) finding.severity = severity;
    if (!finding.number.empty()) findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace detail

HONE_INLINE ReportData report_of_run(std::filesystem::path const& folder, ReportOptions const& options) {
  RunRecord run = read_run(folder);
  ReportData report;
  report.start.name = run.name;
  report.start.folder = folder;
  report.start.time = {};
  report.steps = detail::steps_of_run(run);
  if (run.results.is_object()) {
    report.results = nlohmann::ordered_json(run.results);
    report.finished = true;
    auto const found = [&](char const* key) { return run.results.contains(key) ? run.results[key] : nlohmann::json(); };
    report.interrupted = found("interrupted").is_boolean() && found("interrupted").get<bool>();
    auto const findings = found("findings");
    report.findings = detail::findings_from_json(findings);
    report.examined = findings.is_array();
    if (auto const command = found("command"); command.is_array())
      for (auto const& word : command)
        if (word.is_string()) report.start.command.push_back(word.get<std::string>());
  }
  std::error_code ignored;
  auto const path = folder / "evaluations.jsonl";
  if (std::filesystem::exists(path, ignored))
    detail::for_each_json_line(path, [&](nlohmann::json const& json, std::int64_t) {
      EvaluationRecord record;
      if (json.contains("step") && json["step"].is_number()) record.step = Index(json["step"].get<double>());
      record.is_last = json.contains("is_last") && json["is_last"] == true;
      record.measures = nlohmann::ordered_json(json);
      report.add(std::move(record));
    });
  bool const has_last = !report.evaluations.empty() && report.evaluations.back().is_last;
  if (!has_last && (!run.heads.empty() || (run.results.is_object() && run.results.contains("heads")))) {
    EvaluationRecord record;
    double const steps = run.number({"steps"});
    record.step = std::isfinite(steps) ? Index(steps) : report.steps.empty() ? 0 : report.steps.back().step;
    record.is_last = true;
    record.measures = report.results;
    report.add(std::move(record));
  }
  if (report.evaluations.empty()) return report;
  report.evaluations.back().heads = std::move(run.heads);
  for (auto const& head : report.evaluations.back().heads) report.start.heads.push_back(head.head);
  auto const data = texts_of_run(folder);
  if (data.size() > 0) choose_examples(report, data, options);
  return report;
}

#endif

}  // namespace hone
