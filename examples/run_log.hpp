// Who is told what happens in a run: log files, and the console's lines for them.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <hone/hone.hpp>

#include "finetune_settings.hpp"

namespace hone::examples {

/// What a run is, before it begins: settings, model, where it runs. Part of results.json, and what loggers get.
template <class M>
nlohmann::ordered_json run_description(Settings const& settings, M& model) {
  nlohmann::ordered_json json;
  json["seed"] = settings.seed;
  json["command"] = settings.command;
  json["settings"] = to_json(settings);
  auto const& config = model.config();
  json["model"] = {{"blocks", config.num_hidden_layers},        {"width", config.hidden_size},
                   {"heads", config.num_attention_heads},       {"vocabulary", config.vocab_size},
                   {"longest", config.max_position_embeddings}, {"parameters", model.parameters().values()}};
  json["ledger"] = to_json(model.ledger());
  json["host"] = host_info();
  json["host"]["threads"] = model.context().threads();
  json["precision"] = M::BackendType::Precision::name;
  return json;
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

/// The loggers that the settings ask for; JSON lines always.
template <class M>
class RunLog {
  using HeadList = typename M::HeadsType;

 public:
  RunLog(Settings const& settings, RunFolder& run, Console& console) : settings_(settings), run_(run), console_(console) {
    loggers_.template emplace<JsonLinesLogger>(run.metrics());
    if (settings.wandb) loggers_.template emplace<WandbLogger>(wandb_options(settings));
    console_.listen([this](std::string_view line) { loggers_.message(line); });
  }
  RunLog(RunLog const&) = delete;
  RunLog& operator=(RunLog const&) = delete;
  ~RunLog() { console_.listen({}); }

  void start(M& model, nlohmann::ordered_json const& description) {
    model_ = &model;
    auto const folder = std::filesystem::absolute(run_.path()).lexically_normal();
    RunStart begins;
    begins.name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
    begins.folder = run_.path();
    for (auto const name : HeadList::names()) begins.heads.emplace_back(name);
    begins.command = settings_.command;
    begins.config = description;
    loggers_.start(begins);
  }
  /// A step, and every so many steps a table of its texts.
  template <class TrainerType>
  void step(StepReport const& step, TrainerType const& trainer, data::Dataset const& train) {
    loggers_.step(step);
    if (settings_.table_every > 0 && (step.step == 1 || step.step % settings_.table_every == 0))
      loggers_.table(examples_table<HeadList>("train/examples", step.step, train, trainer.last_rows(),
                                              trainer.last_results().outputs, model_->tokenizer()));
  }
  void evaluation(Index step, bool is_last, Evaluation<HeadList> const& tested, data::Dataset const& test) {
    loggers_.evaluation({step, is_last, to_json(tested), head_predictions(tested.outputs, test)});
  }
  /// The end: everything is with the system when it returns.
  void finish(nlohmann::ordered_json const& results, bool interrupted) {
    RunEnd ends{0, interrupted, {}, results, {}};
    for (char const* name : {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"})
      if (std::error_code ignored; std::filesystem::exists(run_ / name, ignored)) ends.model.push_back(run_ / name);
    loggers_.finish(std::move(ends));
  }
  /// How what was logged is looked at; after the end.
  std::string hints() {
    std::string text;
    if (auto const* wandb = loggers_.template get<WandbLogger>())
      text += "\nto upload the run: wandb sync " + shell_word(printable_text(wandb->folder().string()));
    return text;
  }
  /// The end by an error, which the caller reports.
  void fail(std::string const& error) noexcept {
    try {
      loggers_.finish({1, false, error, {}, {}});
    } catch (...) {  // the first error counts
    }
  }

 private:
  Settings const& settings_;
  RunFolder& run_;
  Console& console_;
  M* model_ = nullptr;
  Loggers<JsonLinesLogger, WandbLogger> loggers_{};
};

}  // namespace hone::examples
