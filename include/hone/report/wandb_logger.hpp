// A run for Weights & Biases, written to files that `wandb sync` uploads. No network and no Python are needed to write it.
#pragma once

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hone/core/atomic_file.hpp"
#include "hone/core/config.hpp"
#include "hone/core/error.hpp"
#include "hone/core/input_file.hpp"
#include "hone/core/sha256.hpp"
#include "hone/report/run_events.hpp"
#include "hone/report/system_metrics.hpp"
#include "hone/report/wandb_options.hpp"
#include "hone/report/wandb_records.hpp"
#include "hone/report/wandb_run.hpp"
#include "hone/report/wandb_table.hpp"
#include "hone/train/finding.hpp"

namespace hone {

/// Writes a run to RunStart::folder/wandb/offline-run-DATE_TIME-ID: configuration, a line of history for each step,
/// evaluation and table, their last values, system metrics, the console's lines, tables of texts, the trained model, the
/// exit code. `wandb sync FOLDER` uploads it from where it was written; until then nothing leaves the machine.
///
/// A record is with the system when a call returns (but for the summary, which flush() writes). The history's own count
/// (_step) counts lines; everything is drawn over "train/step".
///
/// Errors: E745 an option that W&B does not take, E748 a call before start or after finish, E749 a row of a table with too
/// few cells, those of files (E701 to E708), and where a log goes on: E746, E747.
class WandbLogger {
 public:
  explicit WandbLogger(WandbOptions options = {}) : options_(std::move(options)) { check_wandb_options(options_); }

  void start(RunStart const& event);

  void step(StepReport const& event);

  /// The table is in the history (under its key), in a file of the run, and an artifact.
  void table(TextTable const& event);

  void evaluation(EvaluationRecord const& event);

  void findings(std::vector<Finding> const& event);

  /// A line of the console. Lines before start are kept until then.
  void message(std::string_view line);

  /// The names are those of W&B's own samples, which its pages know.
  void system(SystemSample const& event);

  void flush();

  /// Also where the model cannot be kept the run is ended; then the error is thrown.
  void finish(RunEnd const& event);

  /// The folder of the run for `wandb sync`; empty before start.
  std::filesystem::path const& folder() const noexcept { return folder_; }

 private:
  static constexpr char const* axis = "train/step";

  detail::wandb::RunLog& log();

  /// Every number of the measures under its path; an interval's two ends as NAME_low and NAME_high.
  static void add_numbers(detail::wandb::Items& items, std::string const& path, nlohmann::ordered_json const& value);

  /// A table of (truth, predicted, count) for each head that classifies.
  void add_confusions(EvaluationRecord const& event);

  void add_results(RunEnd const& event);

  /// `wandb sync` deletes the files of an artifact after the upload: what it gets are hard links, or copies.
  void add_model(RunEnd const& event);

  WandbOptions options_;
  std::unique_ptr<detail::wandb::RunLog> run_{};
  std::filesystem::path folder_{};
  std::vector<std::string> early_lines_{};
  std::set<std::string> tables_{};  // keys of tables
  bool finished_ = false;
};

#if HONE_BODIES

HONE_INLINE void WandbLogger::message(std::string_view line) {
  if (finished_) return;
  if (run_)
    run_->add(detail::wandb::output_raw, detail::wandb::output_record(line, run_->now()));
  else if (early_lines_.size() < 10000)
    early_lines_.emplace_back(line);
}

HONE_INLINE void WandbLogger::flush() {
  if (run_) run_->flush();
}

HONE_INLINE detail::wandb::RunLog& WandbLogger::log() {
  if (!run_)
    throw Error(748,
                finished_ ? "a run that has ended was told of an event" : "a run that has not begun was told of an event",
                {}, "call start first and finish last");
  return *run_;
}

HONE_INLINE void WandbLogger::start(RunStart const& event) {
  if (run_ || finished_) throw Error(748, "a run that has begun was begun again", {}, "use a new WandbLogger for a new run");
  run_ = std::make_unique<detail::wandb::RunLog>(event, options_);
  folder_ = run_->folder();
  for (auto const& line : early_lines_) message(line);
  early_lines_.clear();
}

HONE_INLINE void WandbLogger::step(StepReport const& event) {
  detail::wandb::Items items;
  items.integer(axis, event.step);
  items.integer("train/epoch", event.epoch);
  for (auto const& [head, loss] : event.losses) items.number("train/" + head + "_loss", loss);
  if (!std::isnan(event.accuracy)) items.number("train/accuracy", event.accuracy);
  items.number("train/learning_rate", event.learning_rate);
  items.number("train/grad_norm", event.grad_norm);
  for (auto const& [group, norm] : event.group_norms) items.number("grad_norm/" + group, norm);
  if (event.seconds > 0) items.number("train/tokens_per_second", static_cast<double>(event.tokens) / event.seconds);
  items.integer("train/batch_size", event.examples);
  items.integer("train/total_tokens", event.total_tokens);
  items.number("train/elapsed", event.elapsed);
  log().add_history(std::move(items), axis);
}

HONE_INLINE void WandbLogger::table(TextTable const& event) {
  auto& run = log();
  auto const clean = detail::wandb::clean_table(event, options_.table_rows);
  std::string key = valid_utf8(event.key.empty() ? "table" : event.key);
  if (key == axis || key[0] == '_' || (run.has_metric(key) && tables_.count(key) == 0)) key += "-table";  // a number's name
  tables_.insert(key);
  std::string const path = detail::wandb::key_path(key);
  std::string const content = detail::wandb::table_file(clean), sum = sha256(content);
  std::string const line = std::to_string(run.next_step());
  std::string const media = "media/table/" + path + "_" + line + "_" + sum.substr(0, 20) + ".table.json";
  detail::wandb::write_new_file(run.folder() / "files" / media, content);

  nlohmann::json about{{"ncols", clean.columns.size()}, {"nrows", clean.rows.size()}};
  about["log_mode"] = options_.incremental_tables ? "INCREMENTAL" : "IMMUTABLE";
  auto& earlier = run.increments(key);
  if (options_.incremental_tables) {
    about["increment_num"] = earlier.size();
    about["previous_increments_paths"] = earlier;
  }

  // The same as an artifact: one file that has the types of the columns too.
  nlohmann::json typed = about;
  typed["_type"] = "table";
  typed["columns"] = clean.columns;
  typed["data"] = clean.rows;
  typed["column_types"] = clean.types;
  std::string const typed_content = typed.dump();
  detail::wandb::Artifact artifact;
  artifact.client_id = detail::wandb::random_name(128);
  artifact.sequence_client_id = detail::wandb::random_name(128);
  artifact.type = options_.incremental_tables ? "wandb-run-incremental-table" : "run_table";
  artifact.name = detail::wandb::artifact_name("run-" + run.id() + (options_.incremental_tables ? "-incr-" : "-") + key);
  artifact.incremental = options_.incremental_tables;
  std::string entry = path + ".table.json";
  if (options_.incremental_tables) {
    auto const milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(run.now().time_since_epoch()).count();
    entry = std::to_string(earlier.size()) + "-" + std::to_string(milliseconds) + "." + entry;
  }
  auto const staged = run.folder() / "staging" / "table" / (path + "_" + line + ".table.json");
  detail::wandb::write_new_file(staged, typed_content);
  artifact.entries.push_back({entry, detail::wandb::md5_base64(typed_content), typed_content.size(), staged});

  std::string const artifact_path = "wandb-client-artifact://" + artifact.client_id + "/" + entry;
  about["_type"] = options_.incremental_tables ? "incremental-table-file" : "table-file";
  about["sha256"] = sum;
  about["size"] = content.size();
  about["path"] = media;
  about["artifact_path"] = artifact_path;
  about["_latest_artifact_path"] = "wandb-client-artifact://" + artifact.sequence_client_id + ":latest/" + entry;
  if (options_.incremental_tables) earlier.push_back(artifact_path);

  run.add_artifact(artifact);
  run.add(detail::wandb::files, detail::wandb::files_record(media, true));
  detail::wandb::Items items;
  items.integer(axis, event.step);
  items.add(key, about.dump());
  run.add_history(std::move(items), axis);
}

HONE_INLINE void WandbLogger::evaluation(EvaluationRecord const& event) {
  detail::wandb::Items items;
  items.integer(axis, event.step);
  add_numbers(items, "evaluation", event.measures);
  log().add_history(std::move(items), axis);
  if (event.is_last) add_confusions(event);
}

HONE_INLINE void WandbLogger::findings(std::vector<Finding> const& event) {
  TextTable made;
  made.key = "doctor/findings";
  made.columns = {"number", "severity", "title", "detail", "next"};
  for (auto const& finding : event)
    made.rows.push_back({finding.number, name(finding.severity), finding.title, finding.detail, finding.next});
  table(made);
}

HONE_INLINE void WandbLogger::system(SystemSample const& event) {
  detail::wandb::Items items;
  auto add = [&](char const* name, double value) {
    if (std::isfinite(value)) items.number(name, value);
  };
  constexpr double mebibyte = 1 << 20, gibibyte = 1 << 30;
  if (event.processors > 0) add("cpu", event.cpu_percent / event.processors);
  add("cpu.machine", event.machine_cpu_percent);
  add("memory_percent", event.memory_percent());
  if (event.threads > 0) add("proc.cpu.threads", event.threads);
  if (event.resident_bytes > 0) {
    add("proc.memory.rssMB", static_cast<double>(event.resident_bytes) / mebibyte);
    if (event.memory_bytes > 0)
      add("proc.memory.percent", 100 * static_cast<double>(event.resident_bytes) / static_cast<double>(event.memory_bytes));
  }
  if (event.memory_bytes > 0) add("proc.memory.availableMB", static_cast<double>(event.memory_available_bytes) / mebibyte);
  if (event.disk_bytes > 0) {
    add("disk./.usagePercent", event.disk_percent());
    add("disk./.usageGB", static_cast<double>(event.disk_bytes - event.disk_free_bytes) / gibibyte);
  }
  detail::ProtobufWriter record;
  record.message(2, detail::wandb::timestamp(event.time));
  for (auto const& [key, json] : items) record.message(3, detail::ProtobufWriter().text(1, key).text(16, json));
  if (!items.empty()) log().add(detail::wandb::stats, record);
}

HONE_INLINE void WandbLogger::finish(RunEnd const& event) {
  auto& run = log();
  std::exception_ptr failure;
  try {
    add_results(event);
    if (options_.model && !event.model.empty()) add_model(event);
  } catch (...) {
    failure = std::current_exception();
  }
  run.finish(event.exit_code);
  run_.reset();
  finished_ = true;
  if (failure) std::rethrow_exception(failure);
}

HONE_INLINE void WandbLogger::add_numbers(detail::wandb::Items& items, std::string const& path,
                                          nlohmann::ordered_json const& value) {
  if (value.is_object()) {
    for (auto const& [key, inner] : value.items()) add_numbers(items, key == "heads" ? path : path + "/" + key, inner);
  } else if (value.is_boolean()) {
    items.add(path, value.get<bool>() ? "true" : "false");
  } else if (value.is_number()) {
    items.number(path, value.get<double>());
  } else if (value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number() && path.size() > 9 &&
             path.compare(path.size() - 9, 9, "_interval") == 0) {
    items.number(path + "_low", value[0].get<double>());
    items.number(path + "_high", value[1].get<double>());
  }
}

HONE_INLINE void WandbLogger::add_confusions(EvaluationRecord const& event) {
  for (auto const& head : event.heads) {
    if (head.classes <= 0 || head.truth.size() != head.predicted.size()) continue;
    std::map<std::pair<double, double>, std::int64_t> counts;
    for (std::size_t i = 0; i < head.truth.size(); ++i) ++counts[{head.truth[i], head.predicted[i]}];
    TextTable made;
    made.key = "evaluation/" + head.head + "/confusion";
    made.step = event.step;
    made.columns = {"truth", "predicted", "count"};
    for (auto const& [pair, count] : counts)
      made.rows.push_back({static_cast<std::int64_t>(pair.first), static_cast<std::int64_t>(pair.second), count});
    table(made);
  }
}

HONE_INLINE void WandbLogger::add_results(RunEnd const& event) {
  auto& run = log();
  if (event.interrupted) run.set_summary("interrupted", "true");
  if (!event.error.empty()) run.set_summary("error", detail::wandb::json_text(event.error));
  if (!event.results.is_object()) return;
  for (auto const& [key, value] : event.results.items()) {
    if (value.is_number())
      run.set_summary("results/" + key, detail::wandb::number_text(value.get<double>()));
    else if (value.is_boolean() || value.is_string())
      run.set_summary("results/" + key, detail::wandb::json_text(value));
  }
  auto const mistakes = event.results.find("worst_mistakes");
  if (mistakes == event.results.end() || !mistakes->is_object()) return;
  for (auto const& [head, list] : mistakes->items()) {
    if (!list.is_array() || list.empty() || !list[0].is_object()) continue;
    TextTable made;
    made.key = "evaluation/" + head + "/worst_mistakes";
    made.step = event.results.value("steps", Index{0});
    for (auto const& item : list[0].items()) made.columns.push_back(item.key());
    for (auto const& mistake : list) {
      made.rows.emplace_back();
      for (auto const& column : made.columns)
        made.rows.back().push_back(mistake.contains(column) ? mistake[column] : nlohmann::ordered_json());
    }
    table(made);
  }
}

HONE_INLINE void WandbLogger::add_model(RunEnd const& event) {
  auto& run = log();
  detail::wandb::Artifact artifact;
  artifact.client_id = detail::wandb::random_name(128);
  artifact.sequence_client_id = detail::wandb::random_name(128);
  artifact.type = "model";
  artifact.name = detail::wandb::artifact_name("run-" + run.id() + "-model");
  artifact.aliases = {"latest", "final"};
  nlohmann::ordered_json numbers = nlohmann::ordered_json::object();
  if (event.results.is_object()) {
    for (auto const& [key, value] : event.results.items()) {
      if (value.is_number() || value.is_boolean()) numbers[key] = value;
    }
  }
  artifact.metadata = detail::wandb::json_text(numbers);
  auto const staging = run.folder() / "staging" / "model";
  detail::wandb::make_folder(staging);
  for (auto const& file : event.model) {
    InputFile const readable(file);  // says what is wrong with it
    auto const staged = staging / file.filename();
    std::error_code failure;
    std::filesystem::remove(staged, failure);
    std::filesystem::create_hard_link(file, staged, failure);
    if (failure) std::filesystem::copy_file(file, staged, std::filesystem::copy_options::overwrite_existing, failure);
    if (failure) throw detail::write_error(failure.value(), "keeping the model for the upload", staged, 1);
    auto const [digest, size] = detail::wandb::md5_of_file(staged);
    artifact.entries.push_back({file.filename().string(), digest, size, staged});
  }
  run.add_artifact(artifact);
}

#endif

}  // namespace hone
