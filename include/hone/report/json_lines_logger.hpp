// A run as lines of JSON: metrics.jsonl, evaluations.jsonl, tables.jsonl.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "hone/core/config.hpp"
#include "hone/report/metrics_jsonl.hpp"
#include "hone/report/run_events.hpp"

namespace hone {

/// A line of evaluations.jsonl: step, is_last, and the measures as results.json has them. Predictions are left out.
nlohmann::ordered_json to_json(EvaluationRecord const& evaluation);

/// A line of tables.jsonl: key, step, columns, rows (each an array of cells).
nlohmann::ordered_json to_json(TextTable const& table);

/// A logger that writes a line a step to metrics.jsonl, a line an evaluation to evaluations.jsonl, and a line a table to
/// tables.jsonl, below RunStart::folder. The last two exist when there is something in them. Every line goes to the system
/// as soon as the logger is told, whole; see JsonLinesFile.
///
/// Errors: those of JsonLinesFile (E701 to E708).
class JsonLinesLogger {
 public:
  /// Opens its files itself. Open::append continues those of an earlier run, and cuts off a torn last line.
  explicit JsonLinesLogger(JsonLinesFile::Open how = JsonLinesFile::Open::fresh) : how_(how) {}
  /// Writes metrics to a file that is open already: RunFolder::metrics(), which must live as long.
  explicit JsonLinesLogger(JsonLinesFile& metrics) : metrics_(&metrics) {}

  void start(RunStart const& event);
  void step(StepReport const& event) { metrics_->add(event); }
  void evaluation(EvaluationRecord const& event);
  void table(TextTable const& event);

 private:
  void add(std::optional<JsonLinesFile>& file, char const* name, nlohmann::ordered_json const& json);

  JsonLinesFile::Open how_ = JsonLinesFile::Open::fresh;
  std::filesystem::path folder_{};
  JsonLinesFile* metrics_ = nullptr;
  std::optional<JsonLinesFile> own_metrics_{}, evaluations_{}, tables_{};
};

#if HONE_BODIES

HONE_INLINE nlohmann::ordered_json to_json(EvaluationRecord const& evaluation) {
  nlohmann::ordered_json json{{"step", evaluation.step}, {"is_last", evaluation.is_last}};
  for (auto const& [key, value] : evaluation.measures.items()) json[key] = value;
  return json;
}

HONE_INLINE nlohmann::ordered_json to_json(TextTable const& table) {
  return {{"key", table.key}, {"step", table.step}, {"columns", table.columns}, {"rows", table.rows}};
}

HONE_INLINE void JsonLinesLogger::start(RunStart const& event) {
  folder_ = event.folder;
  if (!metrics_) metrics_ = &own_metrics_.emplace(folder_ / "metrics.jsonl", how_);
}

HONE_INLINE void JsonLinesLogger::evaluation(EvaluationRecord const& event) {
  add(evaluations_, "evaluations.jsonl", to_json(event));
}

HONE_INLINE void JsonLinesLogger::table(TextTable const& event) { add(tables_, "tables.jsonl", to_json(event)); }

HONE_INLINE void JsonLinesLogger::add(std::optional<JsonLinesFile>& file, char const* name,
                                      nlohmann::ordered_json const& json) {
  if (!file) file.emplace(folder_ / name, how_);
  file->add(json);
}

#endif

}  // namespace hone
