// Who is told what happens in a run: log files, report.html, the person.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <hone/doctor.hpp>
#include <hone/hone.hpp>
#include <hone/report.hpp>

#include "finetune_settings.hpp"

namespace hone::examples {

/// What a run is, before it begins: settings, model, where it runs. Part of results.json, and what loggers get.
/// @param instruction_set  of the processor; empty: not known
inline nlohmann::ordered_json run_description(Settings const& settings, BertConfig const& config, Index parameters,
                                              Ledger const& ledger, int threads, std::string_view precision,
                                              std::string_view instruction_set) {
  nlohmann::ordered_json json;
  json["seed"] = settings.seed;
  json["command"] = settings.command;
  json["settings"] = to_json(settings);
  json["model"] = {{"blocks", config.num_hidden_layers},        {"width", config.hidden_size},
                   {"heads", config.num_attention_heads},       {"vocabulary", config.vocab_size},
                   {"longest", config.max_position_embeddings}, {"parameters", parameters}};
  json["ledger"] = to_json(ledger);
  json["host"] = host_info();
  json["host"]["threads"] = threads;
  json["precision"] = precision;
  if (!instruction_set.empty()) json["host"]["instruction_set"] = instruction_set;
  return json;
}
template <class M>
nlohmann::ordered_json run_description(Settings const& settings, M& model) {
  std::string_view instruction_set;
  if constexpr (requires { model.context().instruction_set(); }) instruction_set = name(model.context().instruction_set());
  return run_description(settings, model.config(), model.parameters().values(), model.ledger(), model.context().threads(),
                         M::BackendType::Precision::name, instruction_set);
}

/// The options of Weights & Biases.
inline WandbOptions wandb_options(Settings const& settings) {
  WandbOptions options;
  options.project = settings.wandb_project;
  options.entity = settings.wandb_entity;
  options.name = settings.wandb_name;
  options.group = settings.wandb_group;
  options.notes = settings.wandb_notes;
  options.run_id = settings.wandb_id;
  options.model = settings.wandb_model;
  std::istringstream tags(settings.wandb_tags);
  for (std::string tag; std::getline(tags, tag, ',');)
    if (!tag.empty()) options.tags.push_back(tag);
  return options;
}

/// What a person should see of the doctor's findings before a training: what is not as it should be, and how many are.
inline std::vector<Finding> shown_findings(std::vector<Finding> const& findings, bool all) {
  if (all) return findings;
  std::vector<Finding> shown;
  for (auto const& finding : findings)
    if (finding.severity != Severity::ok) shown.push_back(finding);
  if (std::size_t const good = findings.size() - shown.size(); good > 0)
    shown.push_back({"", Severity::ok, formatted("%zu checks found nothing wrong (--doctor-only shows them)", good), "", "", {}});
  return shown;
}

/// Throws E928 where the doctor found an error: what it is, and where more is said of it.
inline void refuse_errors(std::vector<Finding> const& findings) {
  std::string numbers, first;
  for (auto const& finding : findings) {
    if (finding.severity != Severity::error) continue;
    if (numbers.empty()) first = printable_text(finding.title);
    numbers += (numbers.empty() ? "" : ", ") + finding.number;
  }
  if (!numbers.empty())
    throw Error(928, "the doctor found what no training can mend: " + first, {.value = numbers},
                "see docs/doctor.md, or train all the same with --no-strict");
}

/// Who is told: the loggers that the settings ask for (JSON lines always), report.html, and warnings for the person.
class RunLog {
 public:
  /// @param ledger    of the model
  /// @param findings  of the doctor
  RunLog(Settings const& settings, RunFolder& run, Ledger const& ledger, std::vector<Finding> findings, Console& console)
      : settings_(settings), run_(run), console_(console) {
    report_.findings = findings;
    report_.examined = settings.doctor;
    report_.ledger = ledger;
    loggers_.emplace<JsonLinesLogger>(run.metrics());
    if (settings.tensorboard) loggers_.emplace<TensorBoardLogger>();
    if (settings.wandb) loggers_.emplace<WandbLogger>(wandb_options(settings));
    console_.listen([this](std::string_view line) { loggers_.message(line); });
    if (!findings.empty()) loggers_.findings(std::move(findings));
  }
  RunLog(RunLog const&) = delete;
  RunLog& operator=(RunLog const&) = delete;
  ~RunLog() { console_.listen({}); }

  void start(nlohmann::ordered_json const& description, std::span<std::string_view const> heads) {
    auto const folder = std::filesystem::absolute(run_.path()).lexically_normal();
    RunStart begins;
    begins.name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
    begins.folder = run_.path();
    begins.heads.assign(heads.begin(), heads.end());
    begins.command = settings_.command;
    begins.config = description;
    report_.start = begins;
    loggers_.start(std::move(begins));
  }
  /// A step; every so many steps `table()`, of its texts; a warning where something goes wrong.
  void step(StepReport const& step, std::function<TextTable()> const& table) {
    loggers_.step(step);
    report_.steps.push_back(step);
    if (settings_.table_every > 0 && (step.step == 1 || step.step % settings_.table_every == 0)) loggers_.table(table());
    if (auto const warning = watch_.step(step)) found(*warning);
  }
  /// An evaluation. Of the last one the report shows every text's tokens that mattered, of others as many as there is time
  /// for in two seconds.
  /// @param add_examples  called as add_examples(report, options), to choose the texts and mark their tokens
  void evaluation(EvaluationRecord record, std::function<void(ReportData&, ReportOptions const&)> const& add_examples,
                  std::atomic<bool> const* stop) {
    loggers_.evaluation(record);
    if (!settings_.report) return;
    PassingProgress progress(console_, "marking tokens that mattered:");
    ReportOptions options;
    options.seed = settings_.seed;
    options.attribution_seconds = record.is_last ? 20 : 2;
    options.stop = stop;
    options.on_progress = [&](Index done, Index total) { progress(done, total); };
    report_.add(std::move(record));
    add_examples(report_, options);
    write_report(run_ / "report.html", report_);
  }
  /// What the doctor and the watch have found so far.
  nlohmann::ordered_json findings() const { return to_json(std::span<Finding const>(report_.findings)); }
  /// The end: everything is with the system when it returns.
  /// @param weights_hash  called for the report
  void finish(nlohmann::ordered_json const& results, bool interrupted, std::function<std::string()> const& weights_hash) {
    RunEnd ends{0, interrupted, {}, results, {}};
    for (char const* name : {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"})
      if (std::error_code ignored; std::filesystem::exists(run_ / name, ignored)) ends.model.push_back(run_ / name);
    if (settings_.report) report_.weights_hash = weights_hash();
    write_last_report(ends);
    loggers_.finish(std::move(ends));
  }
  /// The end by an error, which the caller reports. `problem`: what is known of it.
  void fail(std::string const& error, std::optional<Finding> problem) noexcept {
    try {
      if (problem) found(*problem);
      RunEnd ends{1, false, error, {}, {}};
      if (!report_.steps.empty()) write_last_report(ends);
      loggers_.finish(std::move(ends));
    } catch (...) {  // the first error counts
    }
  }
  /// How what was logged is looked at; after the end.
  std::string hints() {
    std::string text;
    auto const shown = [](std::filesystem::path const& path) { return shell_word(printable_text(path.string())); };
    if (settings_.report) text += "\nto read about the run: " + shown(run_ / "report.html") + " in a browser";
    if (settings_.tensorboard) text += "\nto watch it: tensorboard --logdir " + shown(run_.path());
    if (auto const* wandb = loggers_.get<WandbLogger>()) text += "\nto upload it: wandb sync " + shown(wandb->folder());
    return text;
  }

 private:
  void found(Finding const& finding) {
    console_.print(findings_text(std::span(&finding, 1), console_.terminal()));
    report_.findings.push_back(finding);
    loggers_.findings({finding});
  }
  void write_last_report(RunEnd const& ends) {
    if (!settings_.report) return;
    report_.finish(ends);
    write_report(run_ / "report.html", report_);
  }

  Settings const& settings_;
  RunFolder& run_;
  Console& console_;
  TrainingWatch watch_{};
  ReportData report_{};
  Loggers<JsonLinesLogger, TensorBoardLogger, WandbLogger> loggers_{};
};

}  // namespace hone::examples
