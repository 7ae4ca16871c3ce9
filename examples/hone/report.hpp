// hone report: report.html of a run or an evaluation, written anew from its folder.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "../finetune_imdb.hpp"
#include "command.hpp"
#include "hone/report/report_folder.hpp"

namespace hone::examples {

struct ReportCommandOptions {
  std::string run{}, out{}, model{};
  bool no_marks = false;
  std::size_t worst = 30, random = 100;
  int threads = 0;
};

inline int write_report_of(ReportCommandOptions const& options) {
  namespace fs = std::filesystem;
  Console console;
  fs::path const folder = options.run;
  Run const run = open_run(folder);
  ReportOptions how;
  how.worst = options.worst;
  how.random = options.random;
  ReportData report = report_of_run(folder, how);

  // The tokens that mattered are marked where there is a model: in the folder, or of an evaluation the one that it names.
  std::string model_folder = options.model.empty() ? folder.string() : options.model;
  std::error_code ignored;
  if (options.model.empty() && !fs::exists(folder / "model.safetensors", ignored) && report.results.is_object())
    model_folder = report.results.value("model", nlohmann::ordered_json()).is_string()
                       ? report.results["model"].get<std::string>()
                       : std::string();
  bool const has_model = !model_folder.empty() && fs::exists(fs::path(model_folder) / "config.json", ignored);
  if (!options.no_marks && has_model && !report.examples.empty()) {
    auto model = trained_model<Model<Cpu<fp32>>>(model_folder, options.threads, console);
    auto texts = texts_of_run(folder);
    tokenise(model, texts, std::min<Index>(run.settings.max_length, model.max_length()), console);
    PassingProgress progress(console, "marking tokens that mattered:");
    how.attribution_seconds = 1e9;
    how.on_progress = [&](Index done, Index total) { progress(done, total); };
    mark_tokens(report, model, texts, how);
  } else if (!options.no_marks && !report.examples.empty()) {
    console.print("note: the tokens that mattered are not marked, since the model was not found (--model names it)");
  }
  fs::path const out = options.out.empty() ? folder / "report.html" : fs::path(options.out);
  write_report(out, report);
  console.print(printable_text(out.string()) + " is written");
  return 0;
}

inline Command report_command(CLI::App& hone) {
  auto* const app = add_command(
      hone, "report",
      "Writes the page report.html of a run or an evaluation anew: curves, measures, the worst mistakes with the tokens that "
      "mattered, a game of guessing.",
      {"runs/demo\tthe page of a run", "runs/demo/evaluation --worst 100\tof an evaluation, with more mistakes"});
  auto options = std::make_shared<ReportCommandOptions>();
  app->add_option("RUN", options->run, "folder of a run, or of an evaluation")->required();
  app->add_option("--out", options->out, "the file; if not given report.html in the folder");
  app->add_option("--model", options->model, "folder of the model that marks tokens; if not given that of the run");
  app->add_flag("--no-marks", options->no_marks, "do not mark the tokens that mattered: no model is loaded");
  app->add_option("--worst", options->worst, "worst mistakes of each head")->capture_default_str();
  app->add_option("--random", options->random, "texts drawn at random")->capture_default_str();
  app->add_option("--threads", options->threads, "threads; 0: all that the process may use")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  return {app, [options](auto const&) { return write_report_of(*options); }};
}

}  // namespace hone::examples
