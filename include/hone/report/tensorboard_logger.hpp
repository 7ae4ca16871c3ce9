// A run as TensorBoard shows it: scalars, histograms, precision and recall, texts, settings.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "hone/core/config.hpp"
#include "hone/report/run_events.hpp"
#include "hone/report/system_metrics.hpp"
#include "hone/report/tensorboard_file.hpp"
#include "hone/report/tensorboard_messages.hpp"
#include "hone/train/finding.hpp"

namespace hone {

/// What is written for TensorBoard.
struct TensorBoardOptions {
  std::string folder = "tensorboard";  ///< below the run's folder
  Index table_rows = 100;              ///< of a table of texts, at most
  int thresholds = 201;                ///< of a precision and recall curve, 2 or more
  int buckets = 30;                    ///< of a histogram, 1 or more
};

namespace detail::tensorboard {

/// Calls use(name, value) for every value inside of nested objects, names joined by slashes. Arrays are values.
template <class Use>
void for_each_value(nlohmann::ordered_json const& json, std::string const& name, Use& use) {
  if (!json.is_object()) return use(name, json);
  for (auto const& [key, value] : json.items()) for_each_value(value, name.empty() ? key : name + "/" + key, use);
}

/// The hyper-parameters among what describes a run.
std::vector<Setting> settings_of(nlohmann::ordered_json const& config);

/// One cell of a table of Markdown.
std::string cell_text(nlohmann::ordered_json const& cell);

/// A table of Markdown with at most so many rows.
std::string markdown_table(TextTable const& table, std::size_t rows);

#if HONE_BODIES

HONE_INLINE std::vector<Setting> settings_of(nlohmann::ordered_json const& config) {
  std::vector<Setting> settings;
  auto add = [&](std::string const& name, nlohmann::ordered_json const& value) {
    if (!value.is_null()) settings.emplace_back(name, value);
  };
  bool const has_settings = config.is_object() && config.contains("settings");
  if (has_settings) {
    for_each_value(config["settings"], "", add);
    if (config.contains("precision")) add("precision", config["precision"]);
  } else if (config.is_object()) {
    for (auto const& [key, value] : config.items())
      if (key != "ledger" && key != "host") for_each_value(value, key, add);
  }
  return settings;
}

HONE_INLINE std::string cell_text(nlohmann::ordered_json const& cell) {
  if (cell.is_null()) return "";
  if (cell.is_string()) return escaped_markdown(valid_utf8(cell.get<std::string>()));
  if (cell.is_number_float()) {
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.6g", cell.get<double>());
    return text.data();
  }
  return escaped_markdown(cell.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

HONE_INLINE std::string markdown_table(TextTable const& table, std::size_t rows) {
  std::string text = "|", rule = "\n|";
  for (auto const& column : table.columns) {
    text.append(" ").append(escaped_markdown(valid_utf8(column))).append(" |");
    rule += "---|";
  }
  text += rule;
  for (std::size_t r = 0; r < std::min(rows, table.rows.size()); ++r) {
    text += "\n|";
    for (auto const& cell : table.rows[r]) text.append(" ").append(cell_text(cell)).append(" |");
  }
  if (table.rows.size() > rows) text += "\n\n" + std::to_string(rows) + " of " + std::to_string(table.rows.size()) + " rows";
  return text + "\n";
}

#endif

}  // namespace detail::tensorboard

/// A logger that writes an event file below RunStart::folder / options.folder, from the first event that has something to
/// show. `tensorboard --logdir RUNS` reads it while the run goes on. Tags:
///
///   train/NAME_loss, train/accuracy, train/learning_rate, train/grad_norm, train/tokens_per_second, train/epoch,
///   grad_norm/GROUP evaluation/MEASURE, evaluation/NAME/MEASURE      numbers of EvaluationRecord::measures
///   evaluation/NAME/probability                      histogram: of class 1 where there are two, else of the predicted class
///   evaluation/NAME/predicted, evaluation/NAME/error histograms of a head that gives a number
///   evaluation/NAME/pr_curves                        with three classes and more NAME/CLASS/pr_curves
///   TextTable::key, doctor, settings, command        texts
///   system/...                                       steps are seconds since the start
///
/// The settings (RunStart::config) are hyper-parameters: those below "settings", or all but ledger and host.
/// Where the folder has event files of an earlier run, their torn ends are cut off, and what they hold of later steps than
/// the first one of this run is replaced. Errors: E742 an option out of range, E741 an old file is damaged inside, E701 to
/// E708.
class TensorBoardLogger {
 public:
  explicit TensorBoardLogger(TensorBoardOptions options = {});

  void start(RunStart const& event) { start_ = event; }

  void step(StepReport const& event);

  void evaluation(EvaluationRecord const& event);

  void table(TextTable const& event);

  void findings(std::vector<Finding> const& event);

  void system(SystemSample const& event);

  void flush();

  void finish(RunEnd const& event);

  /// The event file; empty before the first event.
  std::filesystem::path file() const { return file_ ? file_->path() : std::filesystem::path(); }

 private:
  using Summary = detail::tensorboard::Summary;

  void add(Index step, Summary const& summary);

  void predictions(HeadPredictions const& head, Summary& summary) const;

  /// Opens the file at the first event that has something to show, so that a run that came to nothing leaves nothing.
  void open();
  void describe_run();
  /// The columns of the table of runs: settings, and the first evaluation's measures. (Of several runs in one folder,
  /// TensorBoard takes those of the first that says something; where none does, all scalars.)
  void describe_experiment(nlohmann::ordered_json const& measures);

  TensorBoardOptions options_;
  RunStart start_{};
  std::vector<detail::tensorboard::Setting> settings_{};
  std::unique_ptr<detail::tensorboard::EventFile> file_{};
  Index step_ = 0;
  bool has_experiment_ = false;
};

#if HONE_BODIES

HONE_INLINE TensorBoardLogger::TensorBoardLogger(TensorBoardOptions options) : options_(std::move(options)) {
  if (options_.thresholds < 2 || options_.buckets < 1 || options_.table_rows < 0)
    throw Error(742, "an option of the logs for TensorBoard is out of range",
                {.value = "thresholds " + std::to_string(options_.thresholds) + ", buckets " +
                          std::to_string(options_.buckets) + ", table_rows " + std::to_string(options_.table_rows),
                 .allowed = "thresholds 2 or more, buckets 1 or more, table_rows 0 or more"},
                "correct the option");
}

HONE_INLINE void TensorBoardLogger::table(TextTable const& event) {
  Summary summary;
  summary.text(event.key, detail::tensorboard::markdown_table(event, static_cast<std::size_t>(options_.table_rows)));
  add(event.step, summary);
}

HONE_INLINE void TensorBoardLogger::flush() {
  if (file_) file_->flush();
}

HONE_INLINE void TensorBoardLogger::step(StepReport const& event) {
  Summary summary;
  for (auto const& [head, loss] : event.losses) summary.scalar("train/" + head + "_loss", loss);
  if (!std::isnan(event.accuracy)) summary.scalar("train/accuracy", event.accuracy);
  summary.scalar("train/learning_rate", event.learning_rate);
  summary.scalar("train/grad_norm", event.grad_norm);
  for (auto const& [group, norm] : event.group_norms) summary.scalar("grad_norm/" + group, norm);
  if (event.seconds > 0) summary.scalar("train/tokens_per_second", static_cast<double>(event.tokens) / event.seconds);
  summary.scalar("train/epoch", static_cast<double>(event.epoch));
  add(event.step, summary);
}

HONE_INLINE void TensorBoardLogger::evaluation(EvaluationRecord const& event) {
  Summary summary;
  auto const add_number = [&summary](std::string const& name, nlohmann::ordered_json const& value) {
    if (value.is_number() && !std::isnan(value.get<double>())) summary.scalar(name, value.get<double>());
  };
  for (auto const& [key, value] : event.measures.items())
    detail::tensorboard::for_each_value(value, key == "heads" ? "evaluation" : "evaluation/" + key, add_number);
  for (auto const& head : event.heads) predictions(head, summary);
  add(event.step, summary);
  if (!std::exchange(has_experiment_, true)) describe_experiment(event.measures);
}

HONE_INLINE void TensorBoardLogger::findings(std::vector<Finding> const& event) {
  TextTable table{"doctor", 0, {"number", "severity", "found", "detail", "next"}, {}};
  for (auto const& finding : event)
    table.rows.push_back({finding.number, name(finding.severity), finding.title, finding.detail, finding.next});
  Summary summary;
  summary.text("doctor", detail::tensorboard::markdown_table(table, table.rows.size()));
  add(step_, summary);
}

HONE_INLINE void TensorBoardLogger::system(SystemSample const& event) {
  if (!file_) return;  // a machine without a run is nothing to show
  Summary summary;
  auto const number = [&summary](char const* tag, double value) {
    if (!std::isnan(value)) summary.scalar(tag, value);
  };
  number("system/cpu_percent", event.cpu_percent);
  number("system/machine_cpu_percent", event.machine_cpu_percent);
  number("system/threads", static_cast<double>(event.threads));
  number("system/resident_mib", static_cast<double>(event.resident_bytes) / (1 << 20));
  number("system/memory_percent", event.memory_percent());
  number("system/disk_percent", event.disk_percent());
  file_->add(summary.event(static_cast<std::int64_t>(event.elapsed)));
}

HONE_INLINE void TensorBoardLogger::finish(RunEnd const& event) {
  if (!file_) return;
  Summary summary;
  summary.hparams("_hparams_/session_end_info",
                  detail::tensorboard::session_end(event.exit_code == 0, detail::tensorboard::wall_time()));
  if (!event.error.empty()) summary.text("error", detail::tensorboard::escaped_markdown(valid_utf8(event.error)));
  file_->add(summary.event(step_));
  file_->flush();
}

HONE_INLINE void TensorBoardLogger::add(Index step, Summary const& summary) {
  if (!file_) open();
  if (step > 0 && step_ == 0) {  // where an earlier run got farther, readers drop what it has from this step on
    constexpr int started = 1;
    auto const session = detail::ProtobufWriter().integer(1, started);
    file_->add(detail::tensorboard::event(step, detail::tensorboard::wall_time()).message(7, session).bytes());
  }
  step_ = std::max(step_, step);
  if (!summary.empty()) file_->add(summary.event(step));
}

HONE_INLINE void TensorBoardLogger::predictions(HeadPredictions const& head, Summary& summary) const {
  std::string const tag = "evaluation/" + head.head;
  if (head.classes == 0) {
    std::vector<double> errors;
    for (std::size_t i = 0; i < head.predicted.size(); ++i) errors.push_back(head.predicted[i] - head.truth[i]);
    summary.histogram(tag + "/predicted", head.predicted, options_.buckets);
    summary.histogram(tag + "/error", errors, options_.buckets);
    return;
  }
  auto const classes = static_cast<std::size_t>(head.classes);
  if (head.probabilities.size() != head.truth.size() * classes) return;
  auto const of_class = [&](std::size_t k) {
    std::vector<double> column;
    for (std::size_t i = 0; i < head.truth.size(); ++i) column.push_back(head.probabilities[i * classes + k]);
    return column;
  };
  std::vector<double> shown;
  for (std::size_t i = 0; i < head.truth.size(); ++i) {
    auto const row = head.probabilities.begin() + static_cast<std::ptrdiff_t>(i * classes);
    shown.push_back(classes == 2 ? row[1] : *std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)));
  }
  summary.histogram(tag + "/probability", shown, options_.buckets, 0, 1);
  for (std::size_t k = classes == 2 ? 1 : 0; k < classes; ++k) {
    std::vector<double> is_class;
    for (double const truth : head.truth) is_class.push_back(truth == static_cast<double>(k) ? 1 : 0);
    std::string const of = classes == 2 ? "" : "/" + std::to_string(k);
    summary.precision_recall(tag + of + "/pr_curves", is_class, of_class(k), options_.thresholds);
  }
}

HONE_INLINE void TensorBoardLogger::open() {
  using namespace detail::tensorboard;
  auto const folder = start_.folder / options_.folder;
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure)
    throw Error(707, "a folder cannot be made", {.file = folder.string(), .value = failure.message()},
                "check the path and the permissions");
  repair_event_files(folder);
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0 || host[0] == '\0') host = {'h', 'o', 's', 't'};
  static std::atomic<int> number{0};  // two runs of one process in one second
  double const now = wall_time();
  std::array<char, 32> seconds{};
  std::snprintf(seconds.data(), seconds.size(), "%010lld", static_cast<long long>(now));
  file_ = std::make_unique<EventFile>(folder / (std::string("events.out.tfevents.") + seconds.data() + "." + host.data() +
                                                "." + std::to_string(::getpid()) + "." + std::to_string(number++)));
  file_->add(detail::ProtobufWriter(detail::tensorboard::event(0, now))
                 .text(3, "brain.Event:2")
                 .message(10, detail::ProtobufWriter().text(1, "hone"))
                 .bytes());
  describe_run();
}

HONE_INLINE void TensorBoardLogger::describe_run() {
  using namespace detail::tensorboard;
  settings_ = settings_of(start_.config);
  Summary summary;
  summary.hparams("_hparams_/session_start_info", session_start(settings_, start_.folder.string(), wall_time(start_.time)));
  TextTable table{"settings", 0, {"setting", "value"}, {}};
  auto const add_row = [&](std::string const& name, nlohmann::ordered_json const& value) {
    table.rows.push_back({name, value});
  };
  if (!start_.config.is_null()) for_each_value(start_.config, "", add_row);
  if (!table.rows.empty()) summary.text("settings", markdown_table(table, table.rows.size()));
  std::string command;
  for (auto const& word : start_.command) command += (command.empty() ? "    " : " ") + word;  // indented: code
  std::replace_if(
      command.begin(), command.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  if (!command.empty()) summary.text("command", command);
  file_->add(summary.event(0));
}

HONE_INLINE void TensorBoardLogger::describe_experiment(nlohmann::ordered_json const& measures) {
  using namespace detail::tensorboard;
  std::vector<std::string> metrics;
  for (auto const& [key, value] : measures.items())
    if (value.is_number() && key.rfind("test_", 0) != 0 && key.rfind("eval_", 0) != 0)
      metrics.push_back("evaluation/" + key);
  for (auto const& head : start_.heads) metrics.push_back("train/" + head + "_loss");
  Summary summary;
  summary.hparams("_hparams_/experiment", experiment(settings_, metrics, wall_time(start_.time)));
  file_->add(summary.event(0));
}

#endif

}  // namespace hone
